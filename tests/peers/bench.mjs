// Ours and its peers, timed in the same browser on the same input. `globalThis.bench` holds the functions; each gives
// { times: [ms], features: [first result] }, so that what is compared can be seen to be the same work.

const WARM_UP = 1;
const FRAMES_A_RUN = 1000;

// The same image for everybody: [1, 3, side, side], smooth, in [0, 1].
function image(side) {
  const values = new Float32Array(3 * side * side);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        values[(c * side + y) * side + x] = 0.5 + 0.5 * Math.sin(0.05 * (c + 1) * x + 0.07 * y + c);
      }
    }
  }
  return values;
}

async function bytes(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// A worker of the product, as the session worker starts and asks it: src/worker/connection.rs.
class Extractor {
  static async start(device, backbone, weights) {
    const extractor = new Extractor();
    extractor.responses = new Map();
    extractor.lastId = 0;
    extractor.worker = new Worker(`/worker-${device}_loader.js`, { type: 'module', name: 'extractor' });
    extractor.worker.onmessage = ({ data }) => {
      const id = data.kind === 'listening' ? 0 : data.id;
      for (const [waiting, [resolve, reject]] of extractor.responses) {
        if (data.kind === 'lost' || (data.kind === 'failed' && waiting === id)) reject(new Error(data.detail));
        else if (waiting === id) resolve(data);
      }
    };
    await extractor.response(0);
    const { input_size: side } = await extractor.request('load', { backbone, weights: weights.slice() });
    extractor.side = side;
    return extractor;
  }

  response(id) {
    const response = new Promise((resolve, reject) => this.responses.set(id, [resolve, reject]));
    return response.finally(() => this.responses.delete(id));
  }

  request(kind, fields = {}) {
    const id = ++this.lastId;
    const response = this.response(id);
    this.worker.postMessage({ kind, id, ...fields });
    return response;
  }

  async extract(crops) {
    return (await this.request('extract', { crops: crops.slice() })).features;
  }
}

async function timed(runs, run) {
  let features;
  for (let i = 0; i < WARM_UP; i++) features = await run();
  const times = [];
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
  }
  return { times, features: Array.from(features) };
}

async function oursOneByOne(device, backbone, weights, runs) {
  const extractor = await Extractor.start(device, backbone, await bytes(weights));
  const input = image(extractor.side);
  return timed(runs, () => extractor.extract(input));
}

// Milliseconds a frame where every core has a worker with frames to do.
async function oursOnAllCores(backbone, weights, runs) {
  const file = await bytes(weights);
  const extractors = [];
  for (let i = 0; i < navigator.hardwareConcurrency; i++) extractors.push(await Extractor.start('cpu', backbone, file));
  const input = image(extractors[0].side);
  const measured = await timed(runs, async () => {
    const features = await Promise.all(extractors.map((extractor) => extractor.extract(input)));
    return features[0];
  });
  measured.times = measured.times.map((time) => time / extractors.length);
  return measured;
}

// From nothing to the first features, the weights at hand.
async function oursFromStart(device, backbone, weights) {
  const file = await bytes(weights);
  const input = image(256);
  const started = performance.now();
  const extractor = await Extractor.start(device, backbone, file);
  const features = await extractor.extract(input);
  return { times: [performance.now() - started], features: Array.from(features) };
}

async function ort(provider, threads) {
  const runtime = await import(`/npm/onnxruntime-web/dist/${provider === 'webgpu' ? 'ort.webgpu.min.mjs' : 'ort.wasm.min.mjs'}`);
  runtime.env.wasm.wasmPaths = '/npm/onnxruntime-web/dist/';
  runtime.env.wasm.numThreads = threads || navigator.hardwareConcurrency;
  return runtime;
}

async function ortSession(runtime, provider, model) {
  const session = await runtime.InferenceSession.create(model, { executionProviders: [provider], graphOptimizationLevel: 'all' });
  const input = new runtime.Tensor('float32', image(256), [1, 3, 256, 256]);
  return async () => {
    const result = await session.run({ [session.inputNames[0]]: input });
    return result[session.outputNames[0]].data;
  };
}

async function ortOneByOne(provider, threads, model, runs) {
  const runtime = await ort(provider, threads);
  return timed(runs, await ortSession(runtime, provider, await bytes(model)));
}

async function ortFromStart(provider, threads, model) {
  const file = await bytes(model);
  const runtime = await ort(provider, threads);
  const started = performance.now();
  const run = await ortSession(runtime, provider, file);
  const features = await run();
  return { times: [performance.now() - started], features: Array.from(features) };
}

// The npm package itself, on its WebAssembly backend and one thread, as on a page without cross-origin isolation like ours,
// on the camera's video: milliseconds for detection and expressions.
async function faceApi(runs) {
  await new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/npm/@vladmandic/face-api/dist/face-api.js';
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
  const { tf } = faceapi;
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  tf.setWasmPaths('/npm/@tensorflow/tfjs-backend-wasm/dist/');
  if (!(await tf.setBackend('wasm'))) throw new Error('tfjs cannot use its WebAssembly backend');
  await tf.ready();
  await faceapi.nets.tinyFaceDetector.loadFromUri('/npm/@vladmandic/face-api/model');
  await faceapi.nets.faceExpressionNet.loadFromUri('/npm/@vladmandic/face-api/model');
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  await video.play();
  const options = new faceapi.TinyFaceDetectorOptions({ inputSize: 320, scoreThreshold: 0.5 });
  return timed(runs, async () => {
    const found = await faceapi.detectSingleFace(video, options).withFaceExpressions();
    if (!found) throw new Error('face-api finds no face');
    return Object.values(found.expressions);
  });
}

// Clips of the same size for both: their values do not change the time.
async function oursLearning(clips, frames, runs) {
  const { default: init, Learner } = await import('/data/tab/tab-bench.js');
  await init();
  const learner = new Learner(clips, frames);
  return timed(runs, async () => { learner.epoch(); return []; });
}

// Milliseconds a frame, of many in a row.
async function oursStreaming(runs) {
  const { default: init, Learner } = await import('/data/tab/tab-bench.js');
  await init();
  const learner = new Learner(1, 1);
  const measured = await timed(runs, async () => {
    for (let i = 0; i < FRAMES_A_RUN; i++) learner.watch();
    return [];
  });
  measured.times = measured.times.map((time) => time / FRAMES_A_RUN);
  return measured;
}

// The same on WebGPU: burn's video model in the worker of the product, beside a backbone on the same device.
async function oursLearningOnWebgpu(clips, frames, runs) {
  const worker = await Extractor.start('gpu', 'lite', await bytes('/data/lite.safetensors'));
  await worker.request('video-load', { weights: await bytes('/data/vfer.safetensors') });
  const targets = new Float32Array(6 * clips);
  for (let clip = 0; clip < clips; clip++) targets[6 * clip + (clip % 6)] = 1;
  await worker.request('train-begin', {
    features: Float32Array.from({ length: clips * frames * 256 }, () => 2 * Math.random() - 1),
    lengths: new Uint32Array(clips).fill(frames),
    targets,
    settings: { batch_size: clips, epochs: runs + WARM_UP },
  });
  const measured = await timed(runs, async () => { await worker.request('train-step'); return []; });
  worker.worker.terminate();
  return measured;
}

async function tfjs(backend = 'wasm') {
  const scripts = { wasm: 'tfjs-backend-wasm/dist/tf-backend-wasm.min.js', webgpu: 'tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js' };
  for (const script of ['tfjs/dist/tf.min.js', scripts[backend]]) {
    await new Promise((resolve, reject) => {
      const element = Object.assign(document.createElement('script'), { src: `/npm/@tensorflow/${script}`, onload: resolve, onerror: reject });
      document.head.append(element);
    });
  }
  if (backend === 'wasm') tf.wasm.setWasmPaths('/npm/@tensorflow/tfjs-backend-wasm/dist/');
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs cannot use its ${backend} backend`);
  await tf.ready();
}

async function tfjsLearning(clips, frames, runs, backend) {
  await tfjs(backend);
  const model = tf.sequential({ layers: [tf.layers.lstm({ units: 128, inputShape: [frames, 256] }), tf.layers.dense({ units: 6, activation: 'softmax' })] });
  model.compile({ optimizer: tf.train.adam(1e-5), loss: 'categoricalCrossentropy' });
  const batches = [];
  for (let first = 0; first < clips; first += 8) {
    const count = Math.min(8, clips - first);
    batches.push([tf.randomUniform([count, frames, 256], -1, 1), tf.oneHot(tf.range(0, count, 1, 'int32').mod(tf.scalar(6, 'int32')), 6)]);
  }
  return timed(runs, async () => {
    for (const [inputs, targets] of batches) await model.trainOnBatch(inputs, targets);
    return [];
  });
}

async function tfjsStreaming(runs) {
  await tfjs();
  const model = tf.sequential({ layers: [tf.layers.lstm({ units: 128, batchInputShape: [1, 1, 256], stateful: true }), tf.layers.dense({ units: 6, activation: 'softmax' })] });
  const frame = tf.randomUniform([1, 1, 256], -1, 1);
  return timed(runs, async () => {
    const output = model.predict(frame);
    await output.data();
    output.dispose();
    return [];
  });
}

const functions = {
  oursOneByOne, oursOnAllCores, oursFromStart, ortOneByOne, ortFromStart, faceApi,
  oursLearning, oursLearningOnWebgpu, oursStreaming, tfjsLearning, tfjsStreaming,
};

// Starts `name(...inputs)`; its end shows in `bench.outcome`.
globalThis.bench = {
  outcome: null,
  start(name, inputs) {
    this.outcome = null;
    functions[name](...inputs).then(
      (result) => { this.outcome = { result }; },
      (error) => { this.outcome = { error: String(error?.message ?? error) }; },
    );
  },
};
