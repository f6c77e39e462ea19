// Asks the Lance engine about the tables of a database, and lets it work on them.
//   node witness.mjs --engine 0.39|0.31 DB_DIR COMMAND ...
// DB_DIR: a database directory (its storage/ is used), the directory of the tables, or an s3:// URI
// (options from AWS_* variables). BRANCH may be "main". Commands:
//   tables                            names of the tables
//   branches TABLE                    names of the branches
//   check TABLE BRANCH                read everything: count, ids, scalar lookup, vector search
//   exercise TABLE BRANCH             write: append, delete, update, index, child branch, column
//   cleanup-main TABLE                make what main alone needs of its files go away
//   create-branch TABLE NAME [PARENT] the engine's own branch of a tip
//   delete-branch TABLE NAME
//   count TABLE [BRANCH]
//   add TABLE BRANCH N                append N rows
//   tag TABLE NAME VERSION            tag a version of main
//   tags TABLE
//   delete-tag TABLE NAME
// Prints one JSON object, a member per step; a failed step is {"error": TEXT}, later steps are left
// out, and the exit status is 1 (2 for wrong usage).
//
//   node witness.mjs --engine 0.39|0.31 --serve
// says {"version": TEXT}, and then does the same for each line of its input, {"database": DB_DIR,
// "command": WORD, "operands": [TEXT, ...], "environment": {...}}: loading takes longer than most commands.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect, load, versions } from "./engine.mjs";
import { embedding, idColumn, rows } from "./tables.mjs";

class Failure extends Error {}
const demand = (condition, text) => {
  if (!condition) throw new Failure(text);
};
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// The steps of one command and what they gave.
class Report {
  steps = {};

  async step(name, work) {
    try {
      this.steps[name] = (await work()) ?? true;
    } catch (e) {
      this.steps[name] = { error: String(e.message).replace(/\s+/g, " ").slice(0, 600) };
      throw new Failure(name);
    }
    return this.steps[name];
  }
}

// One branch of a table, with what all commands need of it.
class Branch {
  static async open(db, tableName, name = "main") {
    const main = await db.openTable(tableName);
    const branch = new Branch();
    branch.table = name === "main" ? main : await (await main.branches()).checkout(name);
    branch.schema = await branch.table.schema();
    branch.id = idColumn(branch.schema);
    return branch;
  }

  async ids(where) {
    const query = this.table.query().select([this.id]);
    const found = await (where ? query.where(where) : query).toArray();
    return found.map((r) => Number(r[this.id])).sort((a, b) => a - b);
  }

  async state() {
    return { version: await this.table.version(), count: await this.table.countRows() };
  }

  has(column) {
    return this.schema.fields.some((f) => f.name === column);
  }

  async append(engine, from, count) {
    const data = engine.makeArrowTable(rows(this.schema, from, from + count),
      { schema: this.schema });
    await this.table.add(data);
  }
}

async function names(listing) {
  return Object.keys(await listing).sort();
}

async function check({ db, report }, tableName, branchName) {
  await report.step("branches", async () =>
    names((await (await db.openTable(tableName)).branches()).list()));
  let branch;
  await report.step("open", async () => {
    branch = await Branch.open(db, tableName, branchName);
  });
  await report.step("version", () => branch.table.version());
  const count = await report.step("count", () => branch.table.countRows());
  const ids = await report.step("ids", () => branch.ids());
  await report.step("rows", async () => {
    const all = await branch.table.query().toArray();
    demand(all.length === count && ids.length === count, `${all.length} rows, count ${count}`);
    return all.length;
  });
  const wanted = ids[Math.floor(ids.length / 3)];
  await report.step("lookup", async () => {
    const found = await branch.ids(`${branch.id} = ${wanted}`);
    demand(same(found, [wanted]), `lookup of ${wanted} found [${found}]`);
    return found;
  });
  if (branch.has("embedding"))
    await report.step("nearest", async () => {
      const found = (await branch.table.vectorSearch(embedding(wanted)).limit(3).toArray())
        .map((r) => Number(r[branch.id]));
      demand(found[0] === wanted, `search for row ${wanted} found [${found}]`);
      return found;
    });
  await report.step("indices", async () =>
    (await branch.table.listIndices()).map((i) => i.name).sort());
}

async function exercise({ db, engine, report }, tableName, branchName) {
  const main = await Branch.open(db, tableName);
  const before = await main.state();
  const branch = await Branch.open(db, tableName, branchName);
  const first = Math.max(0, ...(await branch.ids())) + 1;
  const { id } = branch;
  const count = await branch.table.countRows();
  const counted = async (expected) => {
    const state = await branch.state();
    demand(state.count === expected, `${state.count} rows instead of ${expected}`);
    return state;
  };
  await report.step("append", async () => {
    await branch.append(engine, first, 3);
    return counted(count + 3);
  });
  await report.step("delete", async () => {
    await branch.table.delete(`${id} = ${first} OR ${id} = 2`);
    demand(same(await branch.ids(`${id} = ${first} OR ${id} = 2`), []), "rows are still there");
    return branch.state();
  });
  await report.step("update", async () => {
    await branch.table.update({ where: `${id} = 5`, valuesSql: { _version: "77" } });
    const found = await branch.ids("_version = 77");
    demand(same(found, [5]), `update changed [${found}]`);
    return branch.state();
  });
  await report.step("index", async () => {
    await branch.table.createIndex(id, { config: engine.Index.btree(), replace: true });
    const found = await branch.ids(`${id} = ${first + 1}`);
    demand(same(found, [first + 1]), `lookup found [${found}]`);
  });
  await report.step("child", async () => {
    const branches = await (await db.openTable(tableName)).branches();
    const name = `${branchName}_child`;
    await branches.create(name, branchName === "main" ? undefined : branchName);
    const child = await Branch.open(db, tableName, name);
    const inherited = await child.ids();
    demand(same(inherited, await branch.ids()), "the child has other rows");
    await child.append(engine, first + 10, 1);
    demand((await child.table.countRows()) === inherited.length + 1, "append to the child is lost");
    await branches.delete(name);
    return name;
  });
  await report.step("column", async () => {
    await branch.table.addColumns([{ name: "twice", valueSql: `${id} * 2` }]);
    const [found] = await branch.table.query().where(`${id} = 5`).toArray();
    demand(Number(found.twice) === 10, `the new column holds ${found.twice}`);
  });
  if (branchName !== "main")
    await report.step("main", async () => {
      const after = await (await Branch.open(db, tableName)).state();
      demand(same(before, after), `main changed to ${JSON.stringify(after)}`);
      return after;
    });
}

// Rewrites all of main and prunes every old version, so that only what refs protect is left of
// what was there before.
async function cleanupMain({ db, report }, tableName) {
  const main = await Branch.open(db, tableName);
  await report.step("delete", async () => {
    await main.table.delete(`${main.id} % 2 = 0`);
    return main.state();
  });
  await report.step("optimize", async () => {
    const soon = new Date(Date.now() + 60000);
    return main.table.optimize({ cleanupOlderThan: soon, deleteUnverified: true });
  });
}

const branchesOf = async (db, tableName) => (await db.openTable(tableName)).branches();
const tagsOf = async (db, tableName) => (await db.openTable(tableName)).tags();

const commands = {
  tables: [0, 0, ({ db, report }) => report.step("tables", () => db.tableNames())],
  branches: [1, 1, ({ db, report }, table) =>
    report.step("branches", async () => names((await branchesOf(db, table)).list()))],
  check: [2, 2, check],
  exercise: [2, 2, exercise],
  "cleanup-main": [1, 1, cleanupMain],
  "create-branch": [2, 3, ({ db, report }, table, name, parent) =>
    report.step("create", async () =>
      (await (await branchesOf(db, table)).create(name, parent)).version())],
  "delete-branch": [2, 2, ({ db, report }, table, name) =>
    report.step("delete", async () => (await branchesOf(db, table)).delete(name))],
  count: [1, 2, ({ db, report }, table, branch) =>
    report.step("count", async () => (await Branch.open(db, table, branch)).table.countRows())],
  add: [3, 3, ({ db, engine, report }, table, branchName, count) =>
    report.step("add", async () => {
      const branch = await Branch.open(db, table, branchName);
      await branch.append(engine, Math.max(0, ...(await branch.ids())) + 1, Number(count));
      return branch.state();
    })],
  tag: [3, 3, ({ db, report }, table, name, version) =>
    report.step("tag", async () => (await tagsOf(db, table)).create(name, Number(version)))],
  tags: [1, 1, ({ db, report }, table) =>
    report.step("tags", async () => names((await tagsOf(db, table)).list()))],
  "delete-tag": [2, 2, ({ db, report }, table, name) =>
    report.step("delete", async () => (await tagsOf(db, table)).delete(name))],
};

// Carries out one command; what its steps gave. Null: wrong usage.
async function perform(engine, directory, command, operands, environment) {
  const [least, most, run] = commands[command] ?? [];
  if (!run || operands.length < least || operands.length > most) return null;
  const inner = join(directory, "storage");
  const uri = !directory.includes("://") && existsSync(inner) ? inner : directory;
  const report = new Report();
  try {
    let db;
    await report.step("connect", async () => {
      db = await connect(engine, uri, environment);
    });
    await run({ db, engine, report }, ...operands);
  } catch (e) {
    if (!(e instanceof Failure)) report.steps.error = { error: String(e.stack) };
  }
  return report.steps;
}

function usage() {
  console.error(`usage: witness.mjs --engine ${versions.join("|")} DB_DIR ` +
    `${Object.keys(commands).join("|")} ...`);
  process.exit(2);
}

async function serve(version) {
  const engine = await load(version);
  console.log(JSON.stringify({ version }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { database, command, operands, environment } = JSON.parse(line);
    const steps = (await perform(engine, database, command, operands, environment)) ?? usage();
    console.log(JSON.stringify(steps));
  }
}

const [flag, version, directory, command, ...operands] = process.argv.slice(2);
if (flag !== "--engine" || !versions.includes(version)) usage();
if (directory === "--serve") {
  await serve(version);
} else {
  const steps = (await perform(await load(version), directory, command, operands, process.env)) ?? usage();
  if (Object.values(steps).some((result) => result.error)) process.exitCode = 1;
  console.log(JSON.stringify(steps));
}
