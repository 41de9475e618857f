// Visitors of the shops' pages in a real Chromium, with Segment's SDK for browsers. Takes a plan on stdin, and tells on stdout, as one line of
// JSON, who the SDK took each visitor for. Its modules lie where the environment's SDK_HOME says.

import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

const AT_ONCE = 3;
const PATIENCE_MS = 60_000;
const { endpoint, visits } = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${process.env.SDK_HOME}/`);
const { default: puppeteer } = await import(pathToFileURL(require.resolve('puppeteer-core')));
const BUNDLES = `${process.env.SDK_HOME}/node_modules/@segment/analytics-next/dist/umd`;

const pages = createServer((request, response) => {
  const name = basename(new URL(request.url, 'http://shop').pathname);
  if (!name.endsWith('.js')) {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    return response.end('<!doctype html><title>Shop</title><script src="/index.js"></script>');
  }
  response.setHeader('content-type', 'text/javascript');
  return createReadStream(`${BUNDLES}/${name}`).on('error', () => response.writeHead(404).end()).pipe(response);
});
await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
const shop = `http://127.0.0.1:${pages.address().port}`;

// Runs in the page, as a shop's own script would.
async function perform({ host, writeKey, step }) {
  const segment = { apiKey: writeKey, apiHost: `${host}/v1`, protocol: 'http' };
  const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load(
    { writeKey, cdnSettings: { integrations: { 'Segment.io': segment } } },
    { integrations: { 'Segment.io': segment } },
  );
  const sent = [await analytics.page(step.name)];
  for (const act of step.acts) {
    sent.push(await (act.identify ? analytics.identify(act.identify, act.traits) : analytics.track(act.event, act.properties)));
  }
  return { sent: sent.map((context) => context.event.messageId), visitor: analytics.user().anonymousId() };
}

/// One visitor, with storage of their own. The next page is opened when the collector has taken all that the last one sent.
async function make(browser, visit) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const acknowledged = new Set();
  page.on('response', async (response) => {
    const request = response.request();
    if (request.method() !== 'POST' || response.status() !== 200) return;
    const sent = JSON.parse((await request.fetchPostData()) ?? '{}');
    (sent.batch ?? [sent]).forEach((message) => acknowledged.add(message.messageId));
  });
  let query = visit.campaign ? `?${new URLSearchParams(visit.campaign)}` : '';
  let referer = visit.referrer ?? undefined;
  let visitor;
  for (const step of visit.steps) {
    await page.goto(`${shop}${step.path}${query}`, { referer });
    const told = await page.evaluate(perform, { host: new URL(endpoint).host, writeKey: visit.write_key, step });
    visitor = told.visitor;
    for (let waited = 0; !told.sent.every((id) => acknowledged.has(id)); waited += 20) {
      if (waited > PATIENCE_MS) throw new Error(`${visit.visitor}: not taken within a minute: ${step.name}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    query = '';
    referer = undefined;
  }
  await context.close();
  return visitor;
}

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'],
});
const visitors = {};
const waiting = [...visits];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let visit = waiting.shift(); visit; visit = waiting.shift()) visitors[visit.visitor] = await make(browser, visit);
}));
await browser.close();
pages.close();
process.stdout.write(`${JSON.stringify(visitors)}\n`);
