// Makes the manifests that the unit tests read (tests/data/manifests):
//   node make-manifests.mjs OUTPUT_DIR
// The database is opened by a relative path, so that no machine's paths get into the files.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect, load } from "./engine.mjs";
import { rows, schemas } from "./tables.mjs";

const output = resolve(process.argv[2] ?? ".");
const scratch = mkdtempSync(join(tmpdir(), "manifests-"));
process.chdir(scratch);
mkdirSync(output, { recursive: true });
const engine = await load("0.39");
const db = await connect(engine, "./db");

const nameOf = (version) => `${(2n ** 64n - 1n - BigInt(version)).toString().padStart(20, "0")}.manifest`;
const keep = (directory, version, name) =>
  copyFileSync(join("db", directory, "_versions", nameOf(version)), join(output, `${name}.manifest`));
const create = (name, schema, count) =>
  db.createTable(name, engine.makeArrowTable(rows(schema, 0, count), { schema }));
const append = (table, schema, from, to) =>
  table.add(engine.makeArrowTable(rows(schema, from, to), { schema }));

// Two fragments, no index.
const plain = await create("plain", schemas.label, 4);
await append(plain, schemas.label, 4, 6);
keep("plain.lance", await plain.version(), "plain");

// Two indices and a deletion file.
const indexed = await create("indexed", schemas.embedded, 300);
await indexed.createIndex("_vid", { config: engine.Index.btree() });
await indexed.createIndex("embedding", { config: engine.Index.ivfFlat({ numPartitions: 2 }) });
await indexed.delete("_vid = 7");
const fork = await indexed.version();
keep("indexed.lance", fork, "indexed");

// A branch of it as the engine makes it, and after an append and a delete of inherited rows.
const branch = await (await indexed.branches()).create("first");
keep("indexed.lance/tree/first", fork, "branch");
await append(branch, schemas.embedded, 300, 302);
await branch.delete("_vid = 9");
keep("indexed.lance/tree/first", await branch.version(), "branch_written");

rmSync(scratch, { recursive: true });
console.log(readdirSync(output).sort().join("\n"));
