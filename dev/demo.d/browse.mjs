// Visitors of the shops' pages in a real Chromium, with Segment's SDK for browsers. Takes a plan on stdin, and tells on stdout, as one line of
// JSON, who the SDK took each visitor for. Its modules lie where the environment's SDK_HOME says.

import { readFileSync } from 'node:fs';
import { noteAcknowledged, openShop } from '../../tests/sdk/chromium.mjs';

const AT_ONCE = 3;
const PATIENCE_MS = 60_000;
const { endpoint, visits } = JSON.parse(readFileSync(0, 'utf8'));
const { browser, url, close } = await openShop();

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
async function make(visit) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const acknowledged = new Set();
  noteAcknowledged(page, endpoint, acknowledged);
  let query = visit.campaign ? `?${new URLSearchParams(visit.campaign)}` : '';
  let referer = visit.referrer ?? undefined;
  let visitor;
  for (const step of visit.steps) {
    await page.goto(`${url}${step.path}${query}`, { referer });
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

const visitors = {};
const waiting = [...visits];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let visit = waiting.shift(); visit; visit = waiting.shift()) visitors[visit.visitor] = await make(visit);
}));
await close();
process.stdout.write(`${JSON.stringify(visitors)}\n`);
