// The Lance engine: loading one of the two versions that serve as witnesses, and connecting.
const packages = { "0.39": "@lancedb/lancedb", "0.31": "lancedb-0.31" };

export const versions = Object.keys(packages);

export async function load(version) {
  if (!packages[version]) throw new Error(`no engine ${version}; there are ${versions.join(", ")}`);
  return import(packages[version]);
}

// For s3:// URIs the usual AWS_* variables count; a plain http endpoint is addressed path-style.
function storageOptions(env) {
  const options = { aws_region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1" };
  const endpoint = env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL ?? env.AWS_ENDPOINT;
  if (endpoint) {
    options.aws_endpoint = endpoint;
    options.aws_virtual_hosted_style_request = "false";
    if (endpoint.startsWith("http://")) options.allow_http = "true";
  }
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
    if (env[name]) options[name.toLowerCase()] = env[name];
  return options;
}

export function connect(engine, uri, environment = process.env) {
  return uri.startsWith("s3://")
    ? engine.connect(uri, { storageOptions: storageOptions(environment) })
    : engine.connect(uri);
}
