/**
 * Service worker: the page opens without a network. What the runtime fetches, it keeps itself. The network
 * comes first, so that nobody sees an old page.
 */
const CACHE = `plmpress page ${new URL('./', location.href).pathname}`;
const FILES = ['./', './style.css', './page.js', './runtime.js'];

/** Of a service worker, as far as it is used here; the types of pages and workers exclude each other. */
interface WorkerScope {
  addEventListener(type: 'install' | 'activate', listener: (event: LifeEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: AskEvent) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}
interface LifeEvent {
  waitUntil(work: Promise<unknown>): void;
}
interface AskEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const scope = globalThis as unknown as WorkerScope;
const addresses = new Set(FILES.map((file) => new URL(file, location.href).href));

scope.addEventListener('install', (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(FILES.map((file) => new Request(file, { cache: 'no-cache' })));
    await scope.skipWaiting();
  };
  event.waitUntil(keep());
});

scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));

scope.addEventListener('fetch', (event) => {
  const address = new URL(event.request.url);
  address.search = '';
  if (event.request.method === 'GET' && addresses.has(address.href)) {
    event.respondWith(answer(event.request, address.href));
  }
});

async function answer(request: Request, address: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(address, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(address);
    if (kept === undefined) throw error;
    return kept;
  }
}

export {};
