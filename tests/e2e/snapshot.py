"""What a master keeps, to prove that an attack changed nothing of it."""
import os, sqlite3

from grid import sha256

TABLES = {
    "artifact": "*", "channel": "*", "node": "*", "token": "*",
    # The rest is what its heartbeats tell.
    "agent": "id, public_key, admission, reported_labels, assigned_labels, channel, mode, generation, desired_version, "
             "desired_sha256, enrolled_at",
}


def rows(grid):
    database = sqlite3.connect("file:%s?mode=ro" % os.path.join(grid.master.state, "grid.db"), uri=True)
    try:
        return {table: database.execute("SELECT %s FROM %s ORDER BY 1, 2" % (columns, table)).fetchall()
                for table, columns in TABLES.items()}
    finally:
        database.close()


def files(grid):
    """Everything below the state directory but the database: path -> digest."""
    found = {}
    for folder, _, names in os.walk(grid.master.state):
        for path in (os.path.join(folder, name) for name in names if not name.startswith("grid.db")):
            found[os.path.relpath(path, grid.master.state)] = sha256(path) if os.path.isfile(path) else "no file"
    return found


def rest(grid):
    return {path: grid.api("GET", path) for path in ("/api/binaries", "/api/channels", "/api/tokens", "/api/keys")}


def snapshot(grid):
    return {"rows": rows(grid), "files": files(grid), "rest": rest(grid)}
