// The tables of the sample database: schemas and rows. Rows are made from their number alone, so
// that every script knows what a table holds.
import {
  Bool, Field, FixedSizeList, Float32, Int64, List, Schema, Uint8, Uint64, Utf8,
} from "apache-arrow";

export const dimensions = 8;

const vertexFields = [
  new Field("_vid", new Uint64(), false),
  new Field("_deleted", new Bool(), false),
  new Field("_version", new Uint64(), false),
  new Field("name", new Utf8(), true),
];
const edgeFields = [
  new Field("_eid", new Uint64(), false),
  new Field("src_vid", new Uint64(), false),
  new Field("dst_vid", new Uint64(), false),
  new Field("_version", new Uint64(), false),
];
const vector = new FixedSizeList(dimensions, new Field("item", new Float32(), true));

export const schemas = {
  vertices: new Schema([
    ...vertexFields, new Field("labels", new List(new Field("item", new Utf8(), true)), true),
  ]),
  label: new Schema(vertexFields),
  embedded: new Schema([
    ...vertexFields, new Field("born", new Int64(), true), new Field("embedding", vector, true),
  ]),
  edges: new Schema([...edgeFields, new Field("type", new Utf8(), false)]),
  deltas: new Schema([...edgeFields, new Field("op", new Uint8(), false)]),
};

// The vector that row n has; a search for it finds row n first.
export const embedding = (n) => Array.from({ length: dimensions }, (_, k) => Math.sin(n * 0.7 + k));

const values = {
  _vid: (n) => BigInt(n),
  _eid: (n) => BigInt(n),
  _deleted: () => false,
  _version: () => 1n,
  name: (n) => `row ${n}`,
  labels: (n) => [n % 2 ? "Person" : "City"],
  born: (n) => BigInt(1900 + (n % 100)),
  embedding,
  src_vid: (n) => BigInt(n),
  dst_vid: (n) => BigInt(n + 1),
  type: () => "KNOWS",
  op: () => 0,
  twice: (n) => BigInt(2 * n), // a column that the witness adds
};

// Row number n for an Arrow schema; columns that are not of the sample are null.
export const row = (schema, n) =>
  Object.fromEntries(schema.fields.map((f) => [f.name, values[f.name]?.(n) ?? null]));

// Rows from..to-1.
export const rows = (schema, from, to) =>
  Array.from({ length: to - from }, (_, i) => row(schema, from + i));

// The column that numbers the rows of a table.
export const idColumn = (schema) =>
  schema.fields.some((f) => f.name === "_vid") ? "_vid" : "_eid";
