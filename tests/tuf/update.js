// node update.js METADATA-URL TARGETS-URL TRUSTED-FOLDER DOWNLOADS-FOLDER TARGET...: what tuf-js makes of a
// repository. Prints where each target lies; exits with 1 and the reason when it does not believe one.
'use strict';
const { Updater } = require('tuf-js');

const [metadataBaseUrl, targetBaseUrl, metadataDir, targetDir, ...targets] = process.argv.slice(2);

async function main() {
  const updater = new Updater({
    metadataBaseUrl, targetBaseUrl, metadataDir, targetDir, config: { fetchRetries: 0, fetchRetry: 0 },
  });
  await updater.refresh();
  for (const name of targets) {
    const target = await updater.getTargetInfo(name);
    if (!target) throw new Error(`the repository does not name ${name}`);
    console.log(await updater.downloadTarget(target));
  }
}

main().catch((error) => {
  console.error(`tuf-js: ${error.name}: ${error.message}`);
  process.exitCode = 1;
});
