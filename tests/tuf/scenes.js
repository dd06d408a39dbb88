// node scenes.js FOLDER: writes FOLDER/NAME/before and FOLDER/NAME/after, repositories as they were and
// as they are, for each scene, and FOLDER/scenes.json, which says what a client has to make of them:
//   name      of the scene
//   target    what it downloads from both; none: it refreshes
//   exit      of the client at the second one
//   changes   the trusted files that may differ after it (r root, t timestamp, s snapshot, g targets)
//   endless   the file whose end never comes
//   days      how many later it is the second time
'use strict';
const fs = require('fs');
const path = require('path');
const { Repository, Signer, days, digest } = require('./repository');

const [folder] = process.argv.slice(2);
const scenes = [];

function save(repository, name, when) {
  repository.save(path.join(folder, name, when));
}

// CHANGE does what happens between before and after.
function scene(name, expected, change, options = {}) {
  const repository = new Repository(options);
  options.prepare?.(repository);
  save(repository, name, 'before');
  change(repository);
  save(repository, name, 'after');
  scenes.push({ name, exit: 0, changes: '', ...expected });
}

const refused = (changes = '', more = {}) => ({ exit: 1, changes, ...more });
const taken = (changes, more = {}) => ({ exit: 0, changes, ...more });
const all = ['targets', 'snapshot', 'timestamp'];

// Signed by a stranger instead.
function forge(repository, name, ...also) {
  const role = repository.roles[name];
  const right = role.signers;
  role.signers = [new Signer()];
  repository.publish(name, ...also);
  role.signers = right;
}

// Rollback, per role.
scene('rollback-timestamp', refused(), (r) => {
  r.roles.timestamp.version = 0;
  r.publish('timestamp');
}, { prepare: (r) => r.publish('timestamp') });
scene('rollback-snapshot', refused(), (r) => {
  r.roles.snapshot.version = 0;
  r.publish('snapshot', 'timestamp');
}, { prepare: (r) => r.publish('snapshot', 'timestamp') });
scene('rollback-targets', refused('t'), (r) => {
  r.roles.targets.version = 0;
  r.publish(...all);
}, { prepare: (r) => r.publish(...all) });
scene('rollback-root', refused(), (r) => {
  r.publish('root');
  const old = r.files['metadata/1.root.json'];
  r.files['metadata/2.root.json'] = old;
});
scene('role-gone-from-snapshot', refused('t', { target: 'app' }), (r) => {
  delete r.roles.team;
  r.roles.targets.to = [];
  r.publish(...all);
}, { prepare: (r) => { r.delegate('targets', 'team'); r.publish('team', ...all); } });

// Freeze.
for (const [name, changes] of [['timestamp', ''], ['snapshot', 't'], ['targets', 'ts'], ['root', 'r']]) {
  scene(`expired-${name}`, refused(changes), (r) => {
    r.roles[name].expires = days(-1);
    r.publish(...(name === 'root' ? ['root'] : all));
  });
}
scene('frozen-timestamp', refused('', { days: 10 }), () => {}, { prepare: (r) => { r.roles.timestamp.expires = days(7); r.publish('timestamp'); } });
scene('frozen-snapshot', refused('t', { days: 10 }), (r) => r.publish('timestamp'), {
  prepare: (r) => { r.roles.snapshot.expires = days(7); r.publish('snapshot', 'timestamp'); } });
scene('expired-role', refused('tsg', { target: 'tool' }), (r) => {
  r.roles.team.expires = days(-1);
  r.publish('team', ...all);
}, { prepare: (r) => { r.delegate('targets', 'team'); r.addTarget('team', 'tool', 'of the team'); r.publish('team', ...all); } });

// Mix and match.
scene('snapshot-of-another-time', refused('t'), (r) => {
  const old = r.roles.snapshot.bytes;
  r.roles.snapshot.meta = { version: 2 };
  r.publish('snapshot', 'timestamp');
  r.files['metadata/2.snapshot.json'] = old;
});
scene('snapshot-hash', refused('t'), (r) => {
  r.publish('snapshot');
  r.roles.snapshot.meta = { version: 2, hashes: { sha256: digest('sha256', 'another') } };
  r.publish('timestamp');
});
scene('snapshot-length', refused('t'), (r) => {
  r.publish('snapshot');
  r.roles.snapshot.meta = { version: 2, length: r.roles.snapshot.bytes.length - 1 };
  r.publish('timestamp');
});
scene('targets-hash', refused('ts'), (r) => {
  r.publish('targets');
  r.roles.targets.meta = { version: 2, hashes: { sha512: digest('sha512', 'another') } };
  r.publish('snapshot', 'timestamp');
});
scene('targets-version', refused('ts'), (r) => {
  const old = r.roles.targets.bytes;
  r.roles.targets.meta = { version: 2 };
  r.publish(...all);
  r.files['metadata/2.targets.json'] = old;
});
scene('timestamp-as-snapshot', refused('t'), (r) => {
  r.publish('snapshot');
  r.roles.snapshot.meta = { version: 2 };
  r.publish('timestamp');
  r.files['metadata/2.snapshot.json'] = r.roles.timestamp.bytes;
});

// Endless data.
scene('endless-root', refused('', { endless: 'metadata/2.root.json' }), () => {});
scene('endless-timestamp', refused('', { endless: 'metadata/timestamp.json' }), () => {});
scene('endless-snapshot', refused('t', { endless: 'metadata/2.snapshot.json' }), (r) => r.publish(...all));
scene('endless-targets', refused('ts', { endless: 'metadata/2.targets.json' }), (r) => r.publish(...all));
scene('endless-target', refused('tsg', { target: 'app', endless: `targets/${digest('sha256', 'new')}.app` }), (r) => {
  r.addTarget('targets', 'app', 'new');
  r.publish(...all);
});

// Wrong keys, too few of them.
for (const [name, changes] of [['timestamp', ''], ['snapshot', 't'], ['targets', 'ts'], ['root', '']]) {
  scene(`forged-${name}`, refused(changes), (r) => {
    const above = { targets: ['snapshot', 'timestamp'], snapshot: ['timestamp'] }[name] ?? [];
    forge(r, name, ...above);
  });
}
scene('forged-role', refused('tsg', { target: 'tool' }), (r) => forge(r, 'team', ...all), {
  prepare: (r) => { r.delegate('targets', 'team'); r.addTarget('team', 'tool', 'of the team'); r.publish('team', ...all); } });
for (const kind of ['ecdsa', 'rsa', 'rsa-pkcs1v15']) {
  scene(`altered-${kind}`, refused(), (r) => {
    r.publish('timestamp');
    r.put('timestamp', Buffer.from(String(r.roles.timestamp.bytes).replace('"version":2', '"version":3')));
  }, { kind });
}
scene('root-by-old-keys-alone', refused(), (r) => {
  const old = r.roles.root.signers;
  r.rotate('root');
  r.roles.root.signers = old;
  r.write('root');
});
scene('root-by-new-keys-alone', refused(), (r) => {
  r.rotate('root');
  r.write('root');
});
scene('below-threshold', refused('r'), (r) => {
  r.roles.timestamp.named = [...r.roles.timestamp.named, new Signer()];
  r.roles.timestamp.threshold = 2;
  r.publish('root', 'timestamp');
});
scene('one-key-by-two-names', refused('r'), (r) => {
  const [signer] = r.roles.timestamp.signers;
  r.roles.timestamp.named = r.roles.timestamp.signers = [signer, signer.alias('another name')];
  r.roles.timestamp.threshold = 2;
  r.publish('root', 'timestamp');
});
scene('one-signature-twice', refused(), (r) => {
  r.publish('timestamp');
  const metadata = JSON.parse(r.roles.timestamp.bytes);
  metadata.signatures.push(metadata.signatures[0]);
  r.put('timestamp', Buffer.from(JSON.stringify(metadata)));
});
scene('unknown-scheme', refused('r'), (r) => {
  const [signer] = r.roles.timestamp.signers;
  signer.key = new (signer.key.constructor)({ ...signer.key, scheme: 'crystals-9', keyID: signer.key.keyID });
  r.publish('root', 'timestamp');
});
scene('altered-after-signing', refused(), (r) => {
  r.publish('timestamp');
  r.put('timestamp', Buffer.from(String(r.roles.timestamp.bytes).replace('"version":2', '"version":3')));
});
scene('root-skips-a-version', refused(), (r) => {
  r.roles.root.version++;
  r.publish('root');
  r.files['metadata/2.root.json'] = r.roles.root.bytes;
});
scene('no-metadata', refused(), (r) => r.put('timestamp', Buffer.from('<html>moved</html>')));

// Delegations.
scene('cycle', refused('tsg', { target: 'missing' }), (r) => {
  r.delegate('targets', 'a');
  r.delegate('a', 'b');
  r.delegate('b', 'a');
  r.publish('a', 'b', ...all);
});
scene('role-not-in-snapshot', refused('tsg', { target: 'missing' }), (r) => {
  r.delegate('targets', 'ghost');
  r.publish('targets');
  delete r.roles.ghost;
  r.publish('snapshot', 'timestamp');
});
scene('succinct-bin-of-a-stranger', refused('tsg', { target: 'tool' }), (r) => {
  const bin = r.delegateSuccinctly('targets', 'bin', 8, 'tool');
  r.addTarget(bin, 'tool', 'of a stranger');
  forge(r, bin, ...all);
});
scene('terminating', refused('tsg', { target: 'tool' }), (r) => {
  r.delegate('targets', 'a', { terminating: true });
  r.delegate('targets', 'b');
  r.addTarget('b', 'tool', 'behind the end');
  r.publish('a', 'b', ...all);
});
scene('too-many-roles', refused('tsg', { target: 'tool' }), (r) => {
  const names = Array.from({ length: 40 }, (_, i) => `role-${i}`);
  names.forEach((name, i) => r.delegate(i === 0 ? 'targets' : names[i - 1], name));
  r.addTarget(names.at(-1), 'tool', 'too deep');
  r.publish(...names, ...all);
});

// Targets that are not what was promised.
for (const [name, bytes] of [['altered', 'the apq'], ['longer', 'the app and more'], ['shorter', 'the'], ['empty', '']]) {
  scene(`target-${name}`, refused('tsg', { target: 'app' }), (r) => {
    r.addTarget('targets', 'app', 'new app');
    r.publish(...all);
    r.serveTarget('targets', 'app', bytes);
  });
}
scene('target-missing', refused('tsg', { target: 'app' }), (r) => {
  delete r.roles.targets.targets.app;
  r.publish(...all);
});

// Good ones.
for (const kind of ['ed25519', 'ecdsa', 'rsa', 'rsa-pkcs1v15']) {
  scene(`good-${kind}`, taken('rtsg', { target: 'app' }), (r) => {
    r.addTarget('targets', 'app', 'newer');
    r.rotate('timestamp');
    r.publish(...all);
  }, { kind });
}
scene('good-without-consistent-snapshots', taken('tsg', { target: 'app' }), (r) => {
  r.addTarget('targets', 'app', 'newer');
  r.publish(...all);
}, { consistent: false });
scene('good-nothing-new', taken('', { target: 'app' }), () => {});
scene('good-without-promises', taken('tsg', { target: 'app' }), (r) => {
  r.addTarget('targets', 'app', 'newer', ['sha512']);
  r.roles.targets.meta = { version: 2 };
  r.roles.snapshot.meta = { version: 2 };
  r.publish(...all);
});
scene('good-unknown-members', taken('r'), (r) => {
  r.extra = { 'x-owner': { name: 'nobody', 'größe': [1, 'two', null, true] } };
  r.publish('root');
});
scene('good-delegations', taken('tsg', { target: 'lib/x/tool' }), (r) => {
  r.delegate('targets', 'docs', { paths: ['*.md'] });
  r.delegate('targets', 'libs', { paths: ['lib/*/*'] });
  r.delegate('libs', 'x', { paths: ['lib/x/*'] });
  r.addTarget('x', 'lib/x/tool', 'tool of x');
  r.publish('docs', 'libs', 'x', ...all);
}, { prepare: (r) => { r.addTarget('targets', 'lib/x/tool', 'as it was'); r.publish(...all); delete r.roles.targets.targets['lib/x/tool']; } });
scene('good-diamond', taken('tsg', { target: 'tool' }), (r) => {
  r.delegate('targets', 'a');
  r.delegate('targets', 'b');
  r.delegate('a', 'c', { paths: ['other'] });
  r.delegate('b', 'c');
  r.addTarget('c', 'tool', 'of c');
  r.publish('a', 'b', 'c', ...all);
}, { prepare: (r) => { r.addTarget('targets', 'tool', 'as it was'); r.publish(...all); delete r.roles.targets.targets.tool; } });
scene('good-hash-bins', taken('tsg', { target: 'app' }), (r) => {
  const prefix = digest('sha256', 'app').slice(0, 2);
  delete r.roles.targets.targets.app;
  r.delegate('targets', 'bin-other', { pathHashPrefixes: [prefix === '00' ? '01' : '00'] });
  r.delegate('targets', 'bin', { pathHashPrefixes: [prefix] });
  r.addTarget('bin', 'app', 'of the bin');
  r.publish('bin', 'bin-other', ...all);
});
for (const bits of [1, 10, 32]) {
  scene(`good-succinct-bins-${bits}`, taken('tsg', { target: 'app' }), (r) => {
    delete r.roles.targets.targets.app;
    const bin = r.delegateSuccinctly('targets', 'bin', bits, 'app');
    r.addTarget(bin, 'app', 'of the bin');
    r.publish(bin, ...all);
  });
}
for (const [i, name] of ['../x', '/x', '?', '#', 'räte & co'].entries()) {
  scene(`good-role-name-${i}`, taken('tsg', { target: 'app' }), (r) => {
    delete r.roles.targets.targets.app;
    r.delegate('targets', name);
    r.addTarget(name, 'app', 'of a strange role');
    r.publish(name, ...all);
  });
}
for (const [i, name] of ['deep/er/app', '../app', 'an app', '50%', 'größe?'].entries()) {
  scene(`good-target-name-${i}`, taken('tsg', { target: name }), (r) => {
    r.addTarget('targets', name, 'newer');
    r.publish(...all);
  }, { prepare: (r) => { r.addTarget('targets', name, 'older'); r.publish(...all); } });
}
scene('good-root-chain', taken('r'), (r) => {
  r.roles.root.expires = days(-1);
  r.rotate('root', 3);
  r.roles.root.threshold = 2;
  r.publish('root');
  r.roles.root.expires = days(30);
  r.rotate('root', 2);
});
scene('good-after-fast-forward', taken('rtsg'), (r) => {
  r.rotate('snapshot');
  r.rotate('timestamp');
  for (const name of all) r.roles[name].version = 1;
  r.publish(...all);
}, { prepare: (r) => { for (const name of all) r.roles[name].version = 99998; r.publish(...all); } });

fs.writeFileSync(path.join(folder, 'scenes.json'), JSON.stringify(scenes));
