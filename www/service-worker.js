// Opens the page while the aggregator is away: keeps the newest version of it that was loaded. A version's files have
// addresses of their own, /v/VERSION/FILE, and never change: versions cannot mix. Nothing else is touched.
const cachePrefix = 'page-';
const pages = ['/', '/index.html', '/instructor.html'];
// Every federation has the same pages, below a prefix of its own.
const withoutPrefix = (path) => path.replace(/^\/f\/\w+(?=\/)/, '');
// Kept when first used: most students need neither.
const onDemand = /^(worker-gpu|instructor)/;
const longestWaitMs = 5_000;

const cacheOf = (version) => caches.open(cachePrefix + version);

// Keeps a page, as it came from the aggregator, with all files of its version.
async function keep(path, response) {
  const version = (await response.clone().text()).match(/\/v\/(\w+)\//)?.[1];
  if (!version) return;
  const cache = await cacheOf(version);
  const folder = `/v/${version}/`;
  if (!await cache.match(`${folder}files.json`)) {
    const list = await fetch(`${folder}files.json`);
    const files = await list.clone().json();
    await cache.addAll(files.filter((file) => !onDemand.test(file)).map((file) => folder + file));
    // The list comes last: where it is, all is.
    await cache.put(`${folder}files.json`, list);
  }
  await cache.put(path, response);
  if ((await clients.matchAll({ includeUncontrolled: true })).length > 1) return;
  const others = (await caches.keys()).filter((name) => name.startsWith(cachePrefix) && name !== cachePrefix + version);
  await Promise.all(others.map((name) => caches.delete(name)));
}

async function keptPage(path) {
  const names = (await caches.keys()).filter((name) => name.startsWith(cachePrefix));
  for (const name of names.reverse()) {
    const kept = await caches.match(path, { cacheName: name });
    if (kept) return kept;
  }
}

async function openPage(event, path) {
  const kept = await keptPage(path);
  // By its address: a request that another site's link has made would say so, and not that it opens a page.
  const newest = fetch(event.request.url).then((response) => {
    if (response.ok) event.waitUntil(keep(path, response.clone()));
    return response;
  });
  if (!kept) return newest;
  // Slow answers are kept for the next time.
  event.waitUntil(newest.catch(() => {}));
  const timeout = new Promise((done) => setTimeout(done, longestWaitMs));
  const response = await Promise.race([newest, timeout]).catch(() => {});
  return response && response.status < 500 ? response : kept;
}

async function loadFile(event, version) {
  const kept = await caches.match(event.request, { ignoreSearch: true });
  // As a response of its own, without the address that it was kept under: a worker takes that for its own, and has its federation's
  // prefix from what is behind it.
  if (kept) return new Response(kept.body, kept);
  const response = await fetch(event.request);
  // Only beside the other files of its version.
  if (response.ok && await caches.has(cachePrefix + version)) {
    const copy = response.clone();
    event.waitUntil(cacheOf(version).then((cache) => cache.put(event.request.url, copy)));
  }
  return response;
}

addEventListener('install', (event) => event.waitUntil(fetch('/').then((response) => response.ok && keep('/', response))));
addEventListener('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== 'GET' || origin !== location.origin) return;
  const version = pathname.match(/^\/v\/(\w+)\//)?.[1];
  const page = withoutPrefix(pathname);
  if (version) event.respondWith(loadFile(event, version));
  else if (event.request.mode === 'navigate' && pages.includes(page)) event.respondWith(openPage(event, page));
});
