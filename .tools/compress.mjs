// Puts a .br and a .gz beside every file of the page that gets smaller by it, and prints the wasm sizes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = process.argv[2];
// The best quality takes a minute for the largest file, which few load, and seconds for all others.
const largestForBest = 4_000_000;
// What only people read: indentation, whole lines of comments, empty lines.
const shorter = {
  '.js': (text) => text.replace(/^[ \t]*\/\/.*\n/gm, '').replace(/\n\s+/g, '\n'),
  '.html': (text) => (text.includes('<pre') ? text : text.replace(/\n\s+/g, '\n')),
  '.css': (text) => text.replace(/\/\*[^]*?\*\//g, '').replace(/\s*([{};])\s*/g, '$1'),
  '.ftl': (text) => text.replace(/^#.*\n/gm, '').replace(/\n{2,}/g, '\n'),
};
for (const name of readdirSync(folder, { recursive: true })) {
  if (!/\.(wasm|js|html|css|svg|json|ftl)$/.test(name)) continue;
  const path = join(folder, name);
  let raw = readFileSync(path);
  const shorten = shorter[extname(name)];
  if (shorten) {
    raw = Buffer.from(shorten(raw.toString()));
    writeFileSync(path, raw);
  }
  const br = brotliCompressSync(raw, {
    params: { [constants.BROTLI_PARAM_QUALITY]: raw.length > largestForBest ? 10 : 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length, },
  });
  const gz = gzipSync(raw, { level: 9 });
  if (br.length < raw.length) writeFileSync(`${path}.br`, br);
  if (gz.length < raw.length) writeFileSync(`${path}.gz`, gz);
  if (name.endsWith('.wasm')) console.log(`${name}: ${raw.length} bytes, gzip ${gz.length}, brotli ${br.length}`);
}
