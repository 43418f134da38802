// The npm package @vladmandic/face-api itself, as the peer that the lite backbone and the face detector must equal.
//
// Usage: node face_api.mjs INPUT_SIZE < IMAGES > RESULTS
// Reads images one after the other, each as two 32-bit little-endian integers (width, height) and 8-bit RGB; writes one line of JSON
// each: { faces: [{ x, y, width, height, score }] in pixels, probabilities: [7] of the image's middle square at 112×112 }.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const modules = process.env.EMOFED_NODE_MODULES;
const require = createRequire(join(modules, 'face_api.cjs'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

wasm.setWasmPaths(join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
await tf.setBackend('wasm');
await tf.ready();
const models = join(modules, '@vladmandic/face-api/model');
await faceapi.nets.tinyFaceDetector.loadFromDisk(models);
await faceapi.nets.faceExpressionNet.loadFromDisk(models);

const options = new faceapi.TinyFaceDetectorOptions({ inputSize: Number(process.argv[2]), scoreThreshold: 0.5 });
const bytes = readFileSync(0);
for (let at = 0; at < bytes.length; ) {
  const [width, height] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  const pixels = bytes.subarray(at + 8, at + 8 + 3 * width * height);
  at += 8 + pixels.length;
  const image = tf.tensor3d(Int32Array.from(pixels), [height, width, 3], 'int32');
  const found = await faceapi.nets.tinyFaceDetector.locateFaces(image, options);
  const faces = found.map(({ box, score }) => ({ x: box.x, y: box.y, width: box.width, height: box.height, score }));
  const probabilities = await faceapi.nets.faceExpressionNet.forward(image);
  console.log(JSON.stringify({ faces, probabilities: Array.from(await probabilities.data()) }));
}
