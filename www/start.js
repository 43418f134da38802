// Starts the page. Files that do not come (an aggregator that restarts, a proxy's 503) are asked for again.
const longestWaitMs = 30_000;
// The smallest module with an instruction of SIMD.
const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const { classList, dataset: { page, files } } = document.body;
// Before anything is shown: page/student/layout.rs stores it.
try {
  const theme = localStorage.getItem('emofed.theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that stores nothing shows what the device does.
}

async function start() {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(new Uint8Array(simd))) throw new Error('no WebAssembly');
  for (let attempt = 0, waitMs = 500; ; attempt += 1, waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      // A browser remembers by its address that a module did not load.
      const { default: init } = await import(attempt ? `./${page}.js?attempt=${attempt}` : `./${page}.js`);
      return await init();
    } catch (error) {
      // Not a file that is missing or torn, but one that does not work here.
      if (error instanceof SyntaxError || error instanceof WebAssembly.RuntimeError) throw error;
      classList.add('unloaded');
      // An aggregator with a newer page has no files of this one.
      const newest = await fetch(location.pathname).then((response) => response.ok ? response.text() : files, () => files);
      if (!newest.includes(files)) return location.reload();
      await new Promise((done) => setTimeout(done, waitMs));
    }
  }
}

start().then(
  () => {
    classList.remove('unloaded');
    // Where the browser has none, or refuses it, the page opens with the aggregator alone.
    navigator.serviceWorker?.register('/service-worker.js').catch(() => {});
  },
  () => {
    classList.remove('unloaded');
    classList.add('unsupported');
  },
);
