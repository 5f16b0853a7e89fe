// Shards the collections of sharding.json, in MongoDB 8. Safe to run again: what is done is left alone.
//
//   mongosh "mongodb://…@mongos:27017/admin" --file deploy/mongo/shard.js
//
// PREFIX  how the databases are called, before the service: intervai_
// REGION  the databases are those of a region, intervai_qa_eu; they stay in the zone of that name. Empty: there is one region.
// SHARDS  the shards of the region, with commas between; needed with REGION
// DRY_RUN 1: say what would be done
const fs = require("fs");
const path = require("path");

const told = JSON.parse(fs.readFileSync(path.join(__dirname, "sharding.json"), "utf8"));
const { PREFIX = "intervai_", REGION = "", SHARDS = "", DRY_RUN = "" } = process.env;
const admin = db.getSiblingDB("admin");
const config = db.getSiblingDB("config");

function run(target, command) {
  print(`${target.getName()}: ${JSON.stringify(command)}`);
  if (DRY_RUN) return;
  const answer = target.runCommand(command);
  if (!answer.ok) throw new Error(answer.errmsg);
}

function databaseOf(service) {
  return `${PREFIX}${service}${REGION && `_${REGION}`}`;
}

// A database with all its collections, sharded or not, lives on the shards of its region: the unsharded ones on the first.
function bindToRegion(name, collections) {
  const shards = SHARDS.split(",").filter(Boolean);
  if (!shards.length) throw new Error("REGION needs SHARDS");
  for (const shard of shards) run(admin, { addShardToZone: shard, zone: REGION });
  const known = config.databases.findOne({ _id: name });
  if (!known) run(admin, { enableSharding: name, primaryShard: shards[0] });
  else if (!shards.includes(known.primary)) throw new Error(`${name} is on ${known.primary}: movePrimary first, see README.md`);
  for (const [collection, { key }] of Object.entries(collections)) {
    const bounds = (value) => Object.fromEntries(Object.keys(key).map((field) => [field, value]));
    run(admin, { updateZoneKeyRange: `${name}.${collection}`, min: bounds(MinKey()), max: bounds(MaxKey()), zone: REGION });
  }
}

// MongoDB refuses to shard a collection with a unique index that does not begin with the shard key. The services make the
// index that replaces it when they start, so that there is always one of the two.
function dropObsolete(collection, names) {
  const there = new Map(collection.getIndexes().map((index) => [index.name, index]));
  for (const name of names.filter((each) => there.has(each))) run(collection.getDB(), { dropIndexes: collection.getName(), index: name });
}

function shard(collection, { key, obsolete = [] }) {
  const namespace = `${collection.getDB().getName()}.${collection.getName()}`;
  if (config.collections.findOne({ _id: namespace, unsplittable: { $ne: true } })) return print(`${namespace}: is sharded`);
  const isThere = collection.getDB().getCollectionInfos({ name: collection.getName() }).length > 0;
  if (isThere) dropObsolete(collection, obsolete);
  if (isThere && collection.findOne()) {
    // It must have the index first, and goes to the other shards at once instead of chunk by chunk.
    run(collection.getDB(), { createIndexes: collection.getName(), indexes: [{ key, name: `${Object.keys(key)[0]}_hashed` }] });
    run(admin, { shardCollection: namespace, key });
    return run(admin, { reshardCollection: namespace, key, forceRedistribution: true });
  }
  // With a zone MongoDB splits for the shards of that zone.
  const split = REGION ? { presplitHashedZones: true } : {};
  const shards = REGION ? SHARDS.split(",").length : config.shards.countDocuments();
  return run(admin, { shardCollection: namespace, key, numInitialChunks: told.initialChunks * shards, ...split });
}

for (const [service, collections] of Object.entries(told.sharded)) {
  const target = db.getSiblingDB(databaseOf(service));
  if (REGION) bindToRegion(target.getName(), collections);
  for (const [name, about] of Object.entries(collections)) shard(target[name], about);
}
