"""What the integration tests share: databases, mounts, the engine, and checks on them."""
