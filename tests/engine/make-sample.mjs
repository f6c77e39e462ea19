// Makes the sample database as Uni lays it out, and packs it:
//   node make-sample.mjs DB_DIR [ARCHIVE.tar.xz]
// DB_DIR must not exist; the archive holds it under its own name. What is in it:
//   labels Person (vector and scalar index, deletions), City (deletions), Product (scalar index,
//   stable row ids), Draft (no table yet); edge types KNOWS, LIVES_IN, BOUGHT (delta tables), REVIEWED (none yet);
//   no adjacency tables; cleanly closed, no forks. Tables of main hold no paths, so the database can
//   be unpacked anywhere.
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { connect, load } from "./engine.mjs";
import { rows, schemas } from "./tables.mjs";

const [directory, archive] = process.argv.slice(2);
if (!directory || existsSync(directory)) {
  console.error("usage: make-sample.mjs DB_DIR [ARCHIVE.tar.xz]   (DB_DIR must not exist)");
  process.exit(2);
}
const root = resolve(directory);
const created = "2026-08-01T12:00:00Z";
const engine = await load("0.39");

const write = (path, text) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const writeJson = (path, value) => write(path, JSON.stringify(value, null, 2));

mkdirSync(join(root, "storage"), { recursive: true });
const db = await connect(engine, join(root, "storage"));

// A table of `count` rows, written in `steps` appends (a version and a fragment each).
async function create(name, schema, count, steps = 1, storageOptions = {}) {
  const at = (step) => Math.floor((count * step) / steps);
  const part = (step) =>
    engine.makeArrowTable(rows(schema, at(step), at(step + 1)), { schema });
  const table = await db.createTable(name, part(0), { storageOptions });
  for (let step = 1; step < steps; step++) await table.add(part(step));
  return table;
}
const append = (table, schema, from, to) =>
  table.add(engine.makeArrowTable(rows(schema, from, to), { schema }));

async function makeVertices() {
  const all = await create("vertices", schemas.vertices, 60, 3);
  await all.delete("_vid % 20 = 3");

  const person = await create("vertices_Person", schemas.embedded, 300);
  await person.createIndex("_vid", { config: engine.Index.btree() });
  await person.createIndex("embedding", { config: engine.Index.ivfFlat({ numPartitions: 2 }) });
  await append(person, schemas.embedded, 300, 320);
  await person.delete("_vid % 100 = 7");
  await append(person, schemas.embedded, 320, 330);

  const city = await create("vertices_City", schemas.label, 20, 2);
  await city.delete("_vid % 3 = 0 AND _vid < 10");

  const product = await create("vertices_Product", schemas.label, 40, 2, {
    new_table_enable_stable_row_ids: "true",
  });
  await product.createIndex("_vid", { config: engine.Index.btree() });
  await product.update({ where: "_vid = 11", values: { name: "renamed" } });
  return { Person: person, City: city, Product: product };
}

async function makeEdges() {
  const all = await create("edges", schemas.edges, 30, 2);
  await all.delete("_eid = 4");
  const types = {};
  for (const [type, count, steps] of [["KNOWS", 16, 4], ["LIVES_IN", 12, 2], ["BOUGHT", 6, 1]]) {
    types[type] = await create(`deltas_${type}_fwd`, schemas.deltas, count, steps);
    await create(`deltas_${type}_bwd`, schemas.deltas, count, steps);
  }
  return types;
}

const label = (id) => ({ id, created_at: created, state: "Active" });
const edgeType = (id, source, target) =>
  ({ id, src_labels: [source], dst_labels: [target], state: "Active" });

function makeSchema() {
  writeJson("catalog/schema.json", {
    schema_version: 4,
    labels: { Person: label(1), City: label(2), Product: label(3), Draft: label(4) },
    edge_types: {
      KNOWS: edgeType(1, "Person", "Person"),
      LIVES_IN: edgeType(2, "Person", "City"),
      BOUGHT: edgeType(3, "Person", "Product"),
      REVIEWED: edgeType(4, "Person", "Product"),
    },
    properties: {},
    indexes: [],
    constraints: [],
    schemaless_registry: { name_to_id: {}, id_to_name: {}, next_local_id: 1 },
  });
  writeJson("id_allocator.json", { next_vid_batch: 1000, next_eid_batch: 1000 });
}

const snapshotOf = async (tables) => {
  const entries = {};
  for (const [name, table] of Object.entries(tables))
    entries[name] = {
      version: 3, count: await table.countRows(), lance_version: await table.version(),
    };
  return entries;
};

// Two snapshots, the newer one current.
function makeSnapshots(vertices, edges) {
  const put = (id, parent, time, mark) => writeJson(`storage/catalog/manifests/${id}.json`, {
    snapshot_id: id, name: null, created_at: time, parent_snapshot: parent, schema_version: 4,
    version_high_water_mark: mark, wal_high_water_mark: mark - 33, vertices, edges,
  });
  const first = randomUUID();
  const latest = randomUUID();
  put(first, null, "2026-08-01T12:34:50.500Z", 41);
  put(latest, first, "2026-08-01T12:34:55.900112233Z", 42);
  write("storage/catalog/latest", latest);
}

const vertices = await makeVertices();
const edges = await makeEdges();
makeSchema();
makeSnapshots(await snapshotOf(vertices), await snapshotOf(edges));
mkdirSync(join(root, "wal"));

if (archive)
  execFileSync("tar", [
    "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX",
    "--mtime=2026-08-01 13:00:00Z", "-C", dirname(root), "-cJf", resolve(archive), basename(root),
  ]);
for (const name of await db.tableNames()) {
  const table = await db.openTable(name);
  console.log(name, "version", await table.version(), "rows", await table.countRows());
}
