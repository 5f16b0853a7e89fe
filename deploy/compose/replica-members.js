// The health check of the first of three members, in place of replica-set.js: makes the replica set, or adds the members
// that one of a single node does not have yet, one at each run as Mongo wants it. Healthy once all three are in it and
// there is a primary.
const HOSTS = ["mongo:27017", "mongo-2:27017", "mongo-3:27017"];
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "intervai", members: [{ _id: 0, host: HOSTS[0] }] });
}
const known = db.hello().hosts ?? [];
const missing = HOSTS.filter((host) => !known.includes(host));
if (missing.length > 0 && db.hello().isWritablePrimary) rs.add(missing[0]);
quit(missing.length === 0 && db.hello().primary ? 0 : 1);
