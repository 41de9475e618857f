// Visitors of the shops' apps, with Segment's SDK for Node: it sends what was done earlier with its own time. A visit to pages is told as
// pages, for machines that have no browser. Takes a plan on stdin, and tells on stdout, as one line of JSON, who each visitor was taken for.
// Its modules lie where the environment's SDK_HOME says.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const PATIENCE_MS = 90_000;
const { endpoint, visits } = JSON.parse(readFileSync(0, 'utf8'));
const { Analytics } = createRequire(`${process.env.SDK_HOME}/`)('@segment/analytics-node');
const visitors = {};
const failed = [];
let unanswered = 0;

function call(analytics, name, message) {
  unanswered += 1;
  analytics[name](message, (error) => {
    unanswered -= 1;
    if (error) failed.push(String(error));
  });
}

function make(analytics, visit) {
  const who = { anonymousId: visit.visitor };
  let entry = { campaign: campaign(visit.campaign), referrer: visit.referrer ?? undefined };
  for (const step of visit.steps) {
    const { campaign, referrer } = entry;
    const page = step.path ? { path: step.path, url: `http://shop.example${step.path}`, referrer } : undefined;
    const common = () => ({ ...who, timestamp: step.at ? new Date(step.at) : undefined, context: { page, campaign } });
    call(analytics, step.path ? 'page' : 'screen', { ...common(), name: step.name });
    for (const act of step.acts) {
      if (act.identify) who.userId = act.identify;
      if (act.identify) call(analytics, 'identify', { ...common(), traits: act.traits });
      else call(analytics, 'track', { ...common(), event: act.event, properties: act.properties });
    }
    entry = {};
  }
  return visit.visitor;
}

function campaign(told) {
  return told ? { source: told.utm_source, medium: told.utm_medium, name: told.utm_campaign } : undefined;
}

const senders = {};
for (const visit of visits) {
  senders[visit.write_key] ??= new Analytics({ writeKey: visit.write_key, host: endpoint, flushAt: 20, flushInterval: 200 });
  visitors[visit.visitor] = make(senders[visit.write_key], visit);
}
await Promise.all(Object.values(senders).map((analytics) => analytics.closeAndFlush({ timeout: PATIENCE_MS })));
for (let waited = 0; unanswered > 0 && waited < PATIENCE_MS; waited += 50) await new Promise((resolve) => setTimeout(resolve, 50));
if (failed.length > 0 || unanswered > 0) throw new Error(`not taken: ${unanswered} without an answer, ${failed.join(', ')}`);
process.stdout.write(`${JSON.stringify(visitors)}\n`);
