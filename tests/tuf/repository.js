// A TUF repository made with @tufjs/models: what each role says is plain data that a scene may change
// before it is published, signed with keys of any of the three kinds.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const models = {
  ...require('@tufjs/models'),
  ...require('@tufjs/models/dist/role'),
  ...require('@tufjs/models/dist/delegations'),
  ...require('@tufjs/models/dist/file'),
};
const { canonicalize } = require('@tufjs/canonical-json');

const TOP = ['root', 'timestamp', 'snapshot', 'targets'];
const SPEC = '1.0.31';

// RSA keys take long to make: five, one more than a repository has roles, go round.
const rsaKeys = [];
let rsaCount = 0;

function makeRsa() {
  const i = rsaCount++ % 5;
  rsaKeys[i] ??= crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return rsaKeys[i];
}

const KINDS = {
  ed25519: {
    scheme: 'ed25519',
    make: () => crypto.generateKeyPairSync('ed25519'),
    text: (key) => key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'),
    sign: (key, bytes) => crypto.sign(null, bytes, key),
  },
  ecdsa: {
    scheme: 'ecdsa-sha2-nistp256',
    make: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    text: (key) => key.export({ format: 'pem', type: 'spki' }),
    sign: (key, bytes) => crypto.sign('sha256', bytes, key),
  },
  rsa: {
    scheme: 'rsassa-pss-sha256',
    make: makeRsa,
    text: (key) => key.export({ format: 'pem', type: 'spki' }),
    sign: (key, bytes) =>
      crypto.sign('sha256', bytes, {
        key,
        padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
        saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST,
      }),
  },
  'rsa-pkcs1v15': {
    keyType: 'rsa',
    scheme: 'rsa-pkcs1v15-sha256',
    make: makeRsa,
    text: (key) => key.export({ format: 'pem', type: 'spki' }),
    sign: (key, bytes) => crypto.sign('sha256', bytes, key),
  },
};

const days = (count) => new Date(Date.now() + count * 86400000).toISOString().replace(/\.\d+Z$/, 'Z');
const digest = (name, bytes) => crypto.createHash(name).update(bytes).digest('hex');

class Signer {
  constructor(kind = 'ed25519') {
    this.kind = KINDS[kind];
    const pair = this.kind.make();
    this.secret = pair.privateKey;
    const parts = { keyType: this.kind.keyType ?? kind, scheme: this.kind.scheme, keyVal: { public: this.kind.text(pair.publicKey) } };
    const id = digest('sha256', canonicalize(new models.Key({ keyID: '', ...parts }).toJSON()));
    this.key = new models.Key({ keyID: id, ...parts });
  }

  // The same key under a name of its own choosing.
  alias(id) {
    const other = Object.assign(Object.create(Signer.prototype), this);
    const { keyType, scheme, keyVal } = this.key;
    other.key = new models.Key({ keyID: id, keyType, scheme, keyVal });
    return other;
  }

  sign(bytes) {
    return new models.Signature({ keyID: this.key.keyID, sig: this.kind.sign(this.secret, bytes).toString('hex') });
  }
}

class Repository {
  constructor({ kind = 'ed25519', consistent = true } = {}) {
    this.kind = kind;
    this.consistent = consistent;
    this.extra = {}; // members of root that no specification knows
    this.roles = {}; // name -> {version, expires, signers, threshold, named}: named are the keys root knows
    this.artifacts = {}; // path -> bytes as they are served
    this.files = {}; // path below the repository -> bytes
    for (const name of TOP) this.addRole(name, [new Signer(kind)]);
    this.addTarget('targets', 'app', 'the app');
    this.publish(...TOP);
  }

  addRole(name, signers) {
    this.roles[name] = { version: 0, expires: days(30), signers, named: signers, threshold: 1, targets: {}, to: [] };
    return this.roles[name];
  }

  // DELEGATION: {terminating, paths, pathHashPrefixes}
  delegate(by, to, delegation = {}) {
    const role = this.roles[to] ?? this.addRole(to, [new Signer(this.kind)]);
    this.roles[by].to.push({ to, terminating: false, ...(delegation.pathHashPrefixes ? {} : { paths: ['*'] }), ...delegation });
    return role;
  }

  // All paths to 2^bits roles, of which only this path's is made. Returns its name.
  delegateSuccinctly(by, prefix, bits, name) {
    const signer = new Signer(this.kind);
    this.roles[by].bins = { prefix, bits, signer };
    const bin = this.succinct(this.roles[by].bins).succinctRoles.getRoleForTarget(name);
    this.addRole(bin, [signer]);
    return bin;
  }

  addTarget(role, name, content, hashes = ['sha256']) {
    const bytes = Buffer.from(content);
    this.roles[role].targets[name] = {
      length: bytes.length,
      hashes: Object.fromEntries(hashes.map((hash) => [hash, digest(hash, bytes)])),
    };
    this.serveTarget(role, name, bytes);
  }

  // What lies where the target is looked for, be it true or not.
  serveTarget(role, name, bytes) {
    const { dir, base } = path.posix.parse(name);
    for (const hash of Object.values(this.roles[role].targets[name].hashes)) {
      this.files[path.posix.join('targets', dir, this.consistent ? `${hash}.${base}` : base)] = Buffer.from(bytes);
    }
  }

  signed(name) {
    const role = this.roles[name];
    const common = { version: role.version, specVersion: SPEC, expires: role.expires };
    if (name === 'root') return this.signedRoot(common);
    if (name === 'timestamp') return new models.Timestamp({ ...common, snapshotMeta: this.meta('snapshot') });
    if (name === 'snapshot') {
      const meta = {};
      for (const other of Object.keys(this.roles).filter((one) => !TOP.slice(0, 3).includes(one))) {
        meta[`${other}.json`] = this.meta(other);
      }
      return new models.Snapshot({ ...common, meta });
    }
    return this.signedTargets(role, common);
  }

  signedRoot(common) {
    const keys = {};
    const roles = {};
    for (const name of TOP) {
      const { named, threshold } = this.roles[name];
      for (const { key } of named) keys[key.keyID] = key;
      roles[name] = new models.Role({ keyIDs: named.map(({ key }) => key.keyID), threshold });
    }
    return new models.Root({
      ...common, keys, roles, consistentSnapshot: this.consistent, unrecognizedFields: this.extra,
    });
  }

  signedTargets(role, common) {
    const keys = {};
    const roles = {};
    for (const { to, ...how } of role.to) {
      const { named, threshold } = this.roles[to];
      for (const { key } of named) keys[key.keyID] = key;
      roles[to] = new models.DelegatedRole({ name: to, keyIDs: named.map(({ key }) => key.keyID), threshold, ...how });
    }
    const targets = {};
    for (const [name, file] of Object.entries(role.targets)) targets[name] = new models.TargetFile({ path: name, ...file });
    const delegations = role.to.length > 0 ? new models.Delegations({ keys, roles }) : undefined;
    return new models.Targets({ ...common, targets, delegations: role.bins ? this.succinct(role.bins) : delegations });
  }

  // BINS: {prefix, bits, signer}; each bin that is there was added as a role of its own.
  succinct({ prefix, bits, signer }) {
    const succinctRoles = new models.SuccinctRoles({ keyIDs: [signer.key.keyID], threshold: 1, bitLength: bits, namePrefix: prefix });
    return new models.Delegations({ keys: { [signer.key.keyID]: signer.key }, succinctRoles });
  }

  // What the role above says of this one; a scene may have set it.
  meta(name) {
    const role = this.roles[name];
    if (role.meta) return new models.MetaFile(role.meta);
    return new models.MetaFile({ version: role.version, length: role.bytes.length, hashes: { sha256: digest('sha256', role.bytes) } });
  }

  // The next version of these roles, signed and put in its place. Order matters: who promises comes last.
  publish(...names) {
    const order = [...names].sort((a, b) => rank(a) - rank(b));
    for (const name of order) {
      this.roles[name].version++;
      this.write(name);
    }
  }

  // This version once more.
  write(name) {
    const role = this.roles[name];
    const metadata = new models.Metadata(this.signed(name));
    for (const signer of role.signers) metadata.sign((bytes) => signer.sign(bytes));
    this.put(name, Buffer.from(JSON.stringify(metadata.toJSON())));
  }

  put(name, bytes) {
    const role = this.roles[name];
    const file = `${encodeURIComponent(name)}.json`;
    role.bytes = bytes;
    if (name === 'root' || (this.consistent && name !== 'timestamp')) this.files[`metadata/${role.version}.${file}`] = bytes;
    if (name !== 'root' && (!this.consistent || name === 'timestamp')) this.files[`metadata/${file}`] = bytes;
  }

  // New keys for a role, in the next root, which the root keys of before and now sign.
  rotate(name, count = 1) {
    const role = this.roles[name];
    const before = role.signers;
    role.named = role.signers = Array.from({ length: count }, () => new Signer(this.kind));
    const root = this.roles.root;
    if (name === 'root') root.signers = [...before, ...root.signers];
    this.publish('root');
    root.signers = root.named;
  }

  save(folder) {
    for (const [name, bytes] of Object.entries(this.files)) {
      const file = path.join(folder, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, bytes);
    }
  }
}

const rank = (name) => ({ root: 3, timestamp: 2, snapshot: 1 })[name] ?? 0;

module.exports = { Repository, Signer, days, digest };
