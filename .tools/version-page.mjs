// version-page.mjs FOLDER VERSION: gives the files of a built page addresses of their own for each version, /v/VERSION/FILE. Pages
// themselves and the service worker keep their addresses.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [, , folder, version] = process.argv;
const unversioned = ['index.html', 'instructor.html', 'service-worker.js'];
const files = readdirSync(folder, { recursive: true }).filter((path) => statSync(join(folder, path)).isFile()).sort();
const versioned = files.filter((path) => !unversioned.includes(path));
for (const path of versioned) {
  const target = join(folder, 'v', version, path);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(join(folder, path), target);
}
// What is empty now.
for (const path of versioned.filter((path) => dirname(path) !== '.')) rmSync(join(folder, dirname(path)), { recursive: true, force: true });
writeFileSync(join(folder, 'v', version, 'files.json'), JSON.stringify(versioned));
for (const page of unversioned.filter((path) => path.endsWith('.html'))) {
  const markup = readFileSync(join(folder, page), 'utf8');
  const names = versioned.map((path) => path.replaceAll('.', '\\.')).join('|');
  const addressed = markup.replace(new RegExp(`(href|src)="(${names})"`, 'g'), `$1="/v/${version}/$2"`);
  writeFileSync(join(folder, page), addressed.replace('data-files="/"', `data-files="/v/${version}/"`));
}
