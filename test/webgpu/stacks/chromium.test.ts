import { it } from 'node:test';
import { launchBrowser, NO_BROWSER } from '../../support/drivers/browser.ts';
import { testStack } from '../../support/drivers/stack-test.ts';
import type { WebgpuJobResult } from '../../support/drivers/webgpu-job.ts';
import { NO_WORKGROUP_ZEROS } from '../../support/fakes/workgroup-zeros.ts';

it('bundles of plm-tiny in Chromium', { skip: NO_BROWSER }, async (t) => {
  const browser = await launchBrowser(t, [`--${NO_WORKGROUP_ZEROS}`]);
  await testStack(t, 5, async (_, { url, expression }) => {
    const page = await browser.newPage();
    // A document of the same origin that runs nothing itself.
    await page.goto(new URL('manifest.json', url).href);
    const result = await page.evaluate(expression);
    await page.close();
    return result as WebgpuJobResult;
  });
});
