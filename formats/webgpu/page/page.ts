import { Chat } from './chat.ts';
import { byId } from './elements.ts';
import { FailureView } from './failure-view.ts';
import { formatBytes } from './format.ts';
import { LoadingView } from './loading-view.ts';
import { Panel } from './panel.ts';
import { BundleError, clearCache, type LoadProgress, load, type Model } from './runtime.js';
import { Settings } from './settings.ts';

/** The bundle is the folder that the page lies in. */
const BUNDLE = './';

let model: Model | undefined;
let loading: AbortController | undefined;

const settings = new Settings(() => void open());
const chat = new Chat(settings);
const panel = new Panel();
const loadingView = new LoadingView(() => loading?.abort());
const failureView = new FailureView((error) => {
  if (error instanceof BundleError && error.code === 'out-of-memory') settings.shrink();
  void open();
});

/** Loads the model, and shows the chat or why there is none. */
async function open(): Promise<void> {
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  chat.hide();
  failureView.hide();
  loadingView.show();
  model?.dispose();
  model = undefined;
  try {
    const loaded = await loadChecked(controller.signal);
    model = loaded;
    const { manifest, contextLength } = loaded;
    document.title = manifest.name;
    byId('name', HTMLElement).textContent = manifest.name;
    const size = manifest.shards.reduce((sum, { bytes }) => sum + bytes, 0);
    byId('about', HTMLElement).textContent = `${manifest.scheme}, ${formatBytes(size)}`;
    settings.fill(manifest, contextLength);
    panel.start();
    chat.start(loaded);
  } catch (error) {
    if (loading === controller) failureView.show(error);
  } finally {
    if (loading === controller) loadingView.hide();
  }
}

async function loadChecked(signal: AbortSignal): Promise<Model> {
  const { contextLength } = settings;
  const loaded = await load(BUNDLE, {
    signal,
    onProgress,
    ...(contextLength !== undefined && { contextLength }),
  });
  try {
    loadingView.checking();
    await loaded.selfTest();
    signal.throwIfAborted();
    return loaded;
  } catch (error) {
    loaded.dispose();
    throw error;
  }
}

function onProgress(progress: LoadProgress): void {
  if (model === undefined) loadingView.progress(progress);
  else chat.progress(progress);
}

byId('forget', HTMLButtonElement).addEventListener('click', async ({ currentTarget }) => {
  await clearCache(BUNDLE);
  byId('storage-text', HTMLElement).textContent =
    'Nothing is kept. The model stays in memory until this page is closed.';
  (currentTarget as HTMLButtonElement).disabled = true;
});

// Keeps the files of the page, as the runtime keeps those of the model.
void navigator.serviceWorker?.register('./offline.js').catch(() => {});
void open();
