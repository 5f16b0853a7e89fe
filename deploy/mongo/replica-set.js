// Makes a replica set of HOSTS, or adds those of HOSTS that are not in it yet. Safe to run again. On a fresh set it must run
// on the first host, over localhost (mongosh --host 127.0.0.1), where MongoDB lets one in who has no account yet.
//
//   HOSTS=m1:27017,m2:27017,m3:27017 mongosh --file deploy/mongo/replica-set.js
//
// SET      its name: intervai
// READERS  hosts for MONGO_READ_URI only: they hold all data, take no part in elections and are told apart by a tag
const { HOSTS = "", READERS = "", SET = "intervai" } = process.env;
const list = (text) => text.split(",").filter(Boolean);
const voters = list(HOSTS).map((host) => ({ host, tags: { use: "all" } }));
const readers = list(READERS).map((host) => ({ host, priority: 0, votes: 0, tags: { use: "reads" } }));
if (voters.length % 2 === 0) throw new Error("HOSTS must name an odd number of hosts: a majority must be left when one is lost");

function configuration() {
  try {
    return rs.conf();
  } catch (error) {
    if (error.codeName !== "NotYetInitialized") throw error;
    rs.initiate({ _id: SET, members: [{ _id: 0, ...voters[0] }] });
    while (!db.hello().isWritablePrimary) sleep(200);
    return rs.conf();
  }
}

// One at a time, as MongoDB asks for it of members with a vote, and each once the one before has caught up.
for (const member of [...voters, ...readers]) {
  const now = configuration();
  if (now.members.some(({ host }) => host === member.host)) continue;
  const next = Math.max(...now.members.map(({ _id }) => _id)) + 1;
  rs.reconfig({ ...now, version: now.version + 1, members: [...now.members, { _id: next, ...member }] });
  const isThere = ({ name, stateStr }) => name === member.host && stateStr === "SECONDARY";
  while (!rs.status().members.some(isThere)) sleep(1000);
}
// `w: majority` waits for the disk of the majority, and reads with it see nothing that could be taken back.
db.adminCommand({ setDefaultRWConcern: 1, defaultWriteConcern: { w: "majority" }, defaultReadConcern: { level: "majority" } });
printjson(rs.status().members.map(({ name, stateStr }) => ({ name, stateStr })));
