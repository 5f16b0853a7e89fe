// One user a service, who can read and write the service's own database and no other. Run at every start, so that a
// password changed in .env is taken over.
const admin = db.getSiblingDB("admin");
for (const name of ["auth", "user", "qa", "export"]) {
  const user = {
    pwd: process.env[`${name.toUpperCase()}_MONGO_PASSWORD`],
    roles: [{ role: "readWrite", db: `intervai_${name}` }],
  };
  if (admin.getUser(`${name}-service`)) admin.updateUser(`${name}-service`, user);
  else admin.createUser({ user: `${name}-service`, ...user });
}
