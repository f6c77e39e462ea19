"""Making forks by the real Uni or by mkdir, for comparing them."""
import os


class Maker:
    """Makes forks in one of two ways, each time with the database at rest before and after."""

    def __init__(self, graph, uni, mounted=None):
        self.graph, self.uni, self.mounted = graph, uni, mounted

    def beside(self):
        """One that lets Uni make them."""
        return Maker(self.graph, self.uni)

    @property
    def is_forkfs(self):
        return self.mounted is not None

    def __call__(self, name, parent=None, ttl=None):
        if self.is_forkfs:
            with self.mounted(self.graph) as mount:
                os.mkdir(mount.fork(parent, "children", name) if parent else mount.fork(name))
                if ttl:
                    with open(mount.fork(name, "ttl"), "w", encoding="utf-8") as stream:
                        stream.write(f"{ttl}\n")
            return
        with self.uni(self.graph) as running:
            if parent:
                running("open", fork=parent, **{"as": "parent"})
            running("open", fork=name, new=True, **({"parent": "parent"} if parent else {}),
                    **({"ttl": ttl} if ttl else {}))
