// Segment's SDK for browsers in a real page of a headless Chromium. It sends once one event a request and once in batches.

import { noteAcknowledged, openShop } from './chromium.mjs';
import { options, pause, tell } from './traffic.mjs';

const { endpoint, writeKey, events, every } = options();
const { host } = new URL(endpoint);
const { browser, url, close } = await openShop();
const acknowledged = new Set();
const failed = [];

async function visit(strategy, first, count) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => failed.push(String(error)));
  noteAcknowledged(page, endpoint, acknowledged);
  await page.goto(`${url}/?utm_source=news&utm_medium=mail&utm_campaign=may`);
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
await close();
tell([...acknowledged], failed);
