// Segment's SDK for browsers in a real page of a headless Chromium, from another origin than the collector's. It sends once one event
// a request and once in batches. Its modules lie where the environment's SDK_HOME says.

import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { options, pause, tell } from './traffic.mjs';

const require = createRequire(`${process.env.SDK_HOME}/`);
const { default: puppeteer } = await import(pathToFileURL(require.resolve('puppeteer-core')));
const { endpoint, writeKey, events, every } = options();
const { host } = new URL(endpoint);
const BUNDLES = `${process.env.SDK_HOME}/node_modules/@segment/analytics-next/dist/umd`;

const pages = createServer((request, response) => {
  const name = basename(new URL(request.url, 'http://page').pathname);
  if (!name.endsWith('.js')) {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    return response.end('<!doctype html><title>Shop</title><script src="/index.js"></script>');
  }
  response.setHeader('content-type', 'text/javascript');
  const file = createReadStream(`${BUNDLES}/${name}`).on('error', () => response.writeHead(404).end());
  return file.pipe(response);
});
await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'],
});
const acknowledged = new Set();
const failed = [];

/// The ids in a request's body, whichever form it has.
function ids(body) {
  const sent = JSON.parse(body ?? '{}');
  return (sent.batch ?? [sent]).map((message) => message.messageId);
}

async function visit(strategy, first, count) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => failed.push(String(error)));
  page.on('response', async (response) => {
    const request = response.request();
    if (request.method() !== 'POST' || !request.url().startsWith(endpoint) || response.status() !== 200) return;
    ids(await request.fetchPostData()).forEach((id) => acknowledged.add(id));
  });
  await page.goto(`http://127.0.0.1:${pages.address().port}/?utm_source=news&utm_medium=mail&utm_campaign=may`);
  const sent = await page.evaluate(send, { host, writeKey, strategy, first, count, every });
  return { page, sent };
}

// Runs in the page.
async function send({ host, writeKey, strategy, first, count, every }) {
  const segment = { apiKey: writeKey, apiHost: `${host}/v1`, protocol: 'http' };
  if (strategy === 'batching') segment.deliveryStrategy = { strategy, config: { size: 10, timeout: 300 } };
  const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load(
    { writeKey, cdnSettings: { integrations: { 'Segment.io': segment } } },
    { integrations: { 'Segment.io': segment }, disableClientPersistence: false },
  );
  const sent = [];
  for (let n = first; n < first + count; n += 1) {
    const calls = [
      () => analytics.track('Order Completed', { order_id: 'o-3', revenue: 7, currency: 'EUR', note: 'grüße "}]{[' }),
      () => analytics.page('Home', { n }),
      () => analytics.identify('user-browser', { email: 'ada@example.com' }),
      () => analytics.track('Product Viewed', { product_id: `p-${n}` }),
      () => analytics.screen('Cart', { n }),
      () => analytics.group('g-1', { plan: 'pro' }),
      () => analytics.alias('user-browser', 'someone'),
    ];
    // It resolves when the event was handed over; that it is acknowledged is seen on the wire.
    sent.push(calls[n % calls.length]().then((context) => context.event.messageId));
    if (every) await new Promise((resolve) => setTimeout(resolve, every));
  }
  return Promise.all(sent);
}

const half = Math.ceil(events / 2);
const visits = await Promise.all([visit('standard', 0, half), visit('batching', half, events - half)]);
const sent = visits.flatMap((visit) => visit.sent);
for (let waited = 0; waited < 90_000 && !sent.every((id) => acknowledged.has(id)); waited += 100) await pause(100);
failed.push(...sent.filter((id) => !acknowledged.has(id)));
await browser.close();
pages.close();
tell([...acknowledged], failed);
