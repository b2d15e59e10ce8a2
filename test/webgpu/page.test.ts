import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { ANSWER, writePageBundle } from '../support/builders/page-bundle.ts';
import { launchBrowser, NO_BROWSER } from '../support/drivers/browser.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { FaultyServer } from '../support/fakes/faulty-server.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const QUESTION = 'What does a press do?';

/** One browser and one bundle; a context has a storage of its own. */
test('the page of a bundle, in Chromium', { skip: NO_BROWSER }, async (t) => {
  const folder = temporaryFolder(t);
  const manifest = await writePageBundle(folder);
  const shard = (index: number) => manifest.shards[index]!.file;
  const browser = await launchBrowser(t);
  const start = () => FaultyServer.start(t, folder);

  await t.test('loads with progress, streams answers, stops, and needs no network any more', async (t) => {
    const server = await start();
    server.faults.set(shard(1), [{ pause: 1500 }]);
    const { page, context, complaints } = await visit(t, browser, server);
    await page.waitForFunction(
      () => Number(document.getElementById('bar')?.getAttribute('aria-valuenow')) > 50,
    );
    assert.match(await text(page, '#loading-size'), /^\d+ kB of \d+ kB$/);
    await ready(page);
    assert.equal(await page.title(), 'PLM tiny');
    assert.equal(await focused(page), 'question');

    await ask(page);
    await page.waitForFunction(() => (document.querySelector('.model .text')?.textContent?.length ?? 0) > 20);
    assert.ok(await page.locator('.entry.busy').isVisible(), 'the answer comes bit by bit');
    await page.locator('#stop').click();
    await page.locator('.foot', { hasText: 'stopped' }).waitFor();
    const stopped = await text(page, '.model .text');
    assert.ok(ANSWER.startsWith(stopped) && stopped.length < ANSWER.length);

    await ask(page);
    await answered(page, 2);
    assert.equal(await page.locator('.model .text').last().textContent(), ANSWER);
    assert.equal(await page.locator('.log b').count(), 0, 'text is text, whatever it looks like');
    assert.match(await text(page, '.entry:last-child .foot'), /^Copy\d+ tokens · [\d.]+ tokens\/s/);
    assert.match(await text(page, '#fact-speed'), /tokens\/s$/);
    assert.match(await text(page, '#fact-memory'), /MB$/);
    assert.equal(await page.locator('#plot .fires').count(), manifest.model.intermediate_sizes.length);
    assert.match(
      (await page.locator('#plot').getAttribute('aria-label'))!,
      /^FFN sparsity by layer: \d+ % on average/,
    );
    assert.match(await text(page, '#spoken'), /nobody misses it/, 'screen readers hear the end');

    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy' }).last().click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), ANSWER);
    await page.getByRole('button', { name: 'New chat' }).click();
    assert.equal(await page.locator('.entry').count(), 0);

    server.clear();
    await page.reload();
    await ready(page);
    assert.deepEqual(server.shardRequests, [], 'all shards come from the cache');
    assert.ok(!server.log.some(({ file }) => file === 'vocabulary.json'));

    await page.evaluate(() => navigator.serviceWorker.ready);
    await server.close();
    await page.reload();
    await ready(page);
    await ask(page);
    await answered(page, 1);
    assert.deepEqual(complaints, []);
  });

  await t.test('refuses a damaged shard by its name, and tries again when asked', async (t) => {
    const server = await start();
    server.always.set(shard(2), { flip: 1000 });
    const { page } = await visit(t, browser, server);
    await page.locator('#failure').waitFor();
    assert.equal(await text(page, '#failure-title'), 'The files of the model are damaged');
    assert.match(await text(page, '#failure-message'), new RegExp(`^${shard(2)}: damaged`));
    assert.equal(await focused(page), 'failure-title');
    server.always.clear();
    await page.getByRole('button', { name: 'Try again' }).click();
    await ready(page);
  });

  await t.test('resumes a dropped connection, and stops loading when asked', async (t) => {
    const server = await start();
    server.faults.set(shard(0), [{ drop: 20_000 }]);
    server.faults.set(shard(5), [{ pause: 60_000 }]);
    const { page } = await visit(t, browser, server);
    await page.locator('#loading-stop').click({ trial: true });
    await waitFor(() => server.shardRequests.length > 6);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('heading', { name: 'Loading was stopped' }).waitFor();
    const ranges = server.log.filter(({ file }) => file === shard(0)).map(({ range }) => range);
    assert.deepEqual(ranges, [undefined, 'bytes=20000-']);
    server.clear();
    await page.getByRole('button', { name: 'Try again' }).click();
    await ready(page);
    assert.ok(server.shardRequests.length < manifest.shards.length, 'what had come is kept');
  });

  await t.test('runs from memory where the browser gives no storage', async (t) => {
    const server = await start();
    const { page, context } = await visit(t, browser, server, { go: false });
    const devtools = await context.newCDPSession(page);
    const origin = new URL(server.url).origin;
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 150_000 });
    await page.goto(server.url);
    await ready(page);
    await page.getByText('allows this site no more storage').waitFor();
    await ask(page);
    await answered(page, 1);
  });

  await t.test('goes on after its device was lost', async (t) => {
    const server = await start();
    const { page } = await visit(t, browser, server, { go: false });
    await page.addInitScript(loseDevicesOnDemand);
    await page.goto(server.url);
    await ready(page);
    await ask(page);
    await page.waitForFunction(() => (document.querySelector('.model .text')?.textContent?.length ?? 0) > 20);
    server.clear();
    await page.evaluate(() => (globalThis as unknown as { loseDevice(): void }).loseDevice());
    await answered(page, 1);
    assert.equal(await page.locator('.model .text').textContent(), ANSWER);
    assert.equal(await page.evaluate(() => (globalThis as unknown as { devices: number }).devices), 2);
    assert.deepEqual(server.log, [], 'the weights come from the cache');
  });

  await t.test('says in words that there is no WebGPU', async (t) => {
    const server = await start();
    const { page } = await visit(t, browser, server, { go: false });
    await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'));
    await page.goto(server.url);
    await page.getByRole('heading', { name: 'This device cannot run the model' }).waitFor();
    assert.deepEqual(server.shardRequests, []);
  });

  await t.test('fits a phone, and keys reach everything', async (t) => {
    const server = await start();
    const { page } = await visit(t, browser, server, { viewport: { width: 390, height: 844 } });
    await ready(page);
    const tooWide = () => document.documentElement.scrollWidth > innerWidth;
    assert.equal(await page.evaluate(tooWide), false);
    await page.getByRole('button', { name: 'Settings' }).focus();
    await page.keyboard.press('Enter');
    assert.equal(await focused(page), 'panel-close');
    assert.equal(await page.evaluate(tooWide), false);
    await page.getByLabel('Max tokens').fill('7');
    await page.getByLabel('System text').fill('Be brief.');
    await page.keyboard.press('Escape');
    assert.equal(await focused(page), 'panel-toggle');

    await page.getByLabel('Your message').fill('Hello');
    await page.keyboard.press('Enter');
    await answered(page, 1);
    assert.match(await text(page, '.foot'), /7 tokens .* ended by max tokens/s);
    // Settings last; another context loads the model again.
    await page.reload();
    await ready(page);
    await page.getByRole('button', { name: 'Settings' }).click();
    assert.equal(await page.getByLabel('Max tokens').inputValue(), '7');
    assert.equal(await page.getByLabel('System text').inputValue(), 'Be brief.');
  });

  await t.test('answers with the engine of the bundle as the reference runtime does', async (t) => {
    const out = temporaryFolder(t);
    assert.equal(
      (await runCli(['convert', fixture('plm-tiny'), '--to', 'webgpu:q8', '-o', out, '-q'])).code,
      0,
    );
    const bundle = path.join(out, 'webgpu-q8');
    const server = await FaultyServer.start(t, bundle);
    const { page, complaints } = await visit(t, browser, server, { go: false });
    await page.addInitScript(loseDevicesOnDemand);
    await page.goto(server.url);
    await ready(page);
    await page.getByLabel('Temperature').fill('0');
    await page.getByLabel('Max tokens').fill('24');
    const prompt = `<|im_start|>user\n${QUESTION}<|im_end|>\n<|im_start|>assistant\n`;
    const argv = ['generate', bundle, '--prompt', prompt, '-n', '24', '--temperature', '0', '--json', '-q'];
    const expected: { text: string } = JSON.parse((await runCli(argv)).stdout);
    assert.ok(expected.text.length > 20);
    await ask(page);
    await answered(page, 1);
    assert.equal(await text(page, '.model .text'), expected.text);
    assert.equal(await page.locator('#plot .fires').count(), 4);

    // On another device, with weights from the cache.
    await page.getByRole('button', { name: 'New chat' }).click();
    await page.evaluate(() => (globalThis as unknown as { loseDevice(): void }).loseDevice());
    await ask(page);
    await answered(page, 1);
    assert.equal(await text(page, '.model .text'), expected.text);
    assert.equal(server.shardRequests.length, 1);
    assert.deepEqual(complaints, []);
  });

  await t.test('continues texts where the bundle has no chat form', async (t) => {
    const other = temporaryFolder(t);
    await writePageBundle(other, { change: (changed) => Reflect.deleteProperty(changed, 'chat') });
    const server = await FaultyServer.start(t, other);
    const { page } = await visit(t, browser, server);
    await ready(page);
    await page.getByRole('button', { name: 'Settings' }).waitFor();
    assert.equal(await page.locator('#system').isVisible(), false);
    await page.getByLabel('Max tokens').fill('9');
    await page.getByLabel('Text to continue').fill('Once upon ');
    await page.keyboard.press('Enter');
    await answered(page, 1);
    assert.ok((await text(page, '.model .text')).startsWith('Once upon '));
    assert.match(await text(page, '.foot'), /9 tokens/);
  });
});

interface Visit extends BrowserContextOptions {
  /** False where the test goes to the page itself. */
  readonly go?: boolean;
}

/** A visitor who was never there. `complaints` are errors and violations of the page's policy. */
async function visit(
  t: { after(work: () => Promise<void>): void },
  browser: Browser,
  server: FaultyServer,
  { go = true, ...options }: Visit = {},
): Promise<{ page: Page; context: BrowserContext; complaints: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // What cannot be fetched any more is told there too.
    if (message.type() === 'error' && !message.text().includes('net::')) complaints.push(message.text());
  });
  if (go) await page.goto(server.url);
  return { page, context, complaints };
}

const text = async (page: Page, selector: string) =>
  (await page.locator(selector).first().textContent()) ?? '';
const focused = (page: Page) => page.evaluate(() => document.activeElement?.id);
const ready = (page: Page) => page.locator('#question').waitFor();
const answered = (page: Page, count: number) =>
  page
    .locator('.model .foot')
    .nth(count - 1)
    .waitFor();

async function ask(page: Page): Promise<void> {
  await page.getByLabel('Your message').fill(QUESTION);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** In the page: devices whose loss is told when `loseDevice` is called, as a crashed driver would. */
function loseDevicesOnDemand(): void {
  const world = globalThis as unknown as { loseDevice(): void; devices: number };
  const request = GPUAdapter.prototype.requestDevice;
  world.devices = 0;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor);
    world.devices++;
    const lost = new Promise((resolve) => {
      world.loseDevice = () => {
        device.destroy();
        resolve({ reason: 'unknown', message: 'the driver crashed' });
      };
    });
    Object.defineProperty(device, 'lost', { value: lost });
    return device;
  };
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    assert.ok(waited < 10_000, 'waits too long');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
