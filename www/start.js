// Starts the page. Files that do not come (an aggregator that restarts, a proxy's 503) are asked for again.
const longestWaitMs = 30_000;

for (let attempt = 0, waitMs = 500; ; attempt += 1, waitMs = Math.min(2 * waitMs, longestWaitMs)) {
  try {
    // A browser remembers by its address that a module did not load.
    const { default: init } = await import(attempt ? `./page.js?attempt=${attempt}` : './page.js');
    await init();
    document.body.classList.remove('unloaded');
    break;
  } catch (error) {
    // Anything but a request that failed is a browser that cannot.
    if (!(error instanceof TypeError)) {
      document.body.classList.remove('unloaded');
      document.body.classList.add('unsupported');
      break;
    }
    document.body.classList.add('unloaded');
    await new Promise((done) => setTimeout(done, waitMs));
  }
}
