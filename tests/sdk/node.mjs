// Segment's SDK for Node, as a shop's server uses it. Its modules lie where the environment's SDK_HOME says.

import { createRequire } from 'node:module';
import { call, options, pause, tell } from './traffic.mjs';

const { Analytics } = createRequire(`${process.env.SDK_HOME}/`)('@segment/analytics-node');
const { endpoint, writeKey, events, every } = options();
const analytics = new Analytics({ writeKey, host: endpoint, flushAt: 15, flushInterval: 300 });
const acknowledged = [];
const failed = [];
analytics.on('error', (error) => process.stderr.write(`node: ${error.reason ?? error.message ?? error}\n`));

for (let n = 0; n < events; n += 1) {
  const [name, message] = call(n, `node-${n % 5}`);
  analytics[name](message, (error, context) => {
    if (error) failed.push(String(error));
    else acknowledged.push(context.event.messageId);
  });
  if (every) await pause(every);
}
// The SDK tells of each event by its callback, after all its repetitions.
await analytics.closeAndFlush({ timeout: 90_000 });
while (acknowledged.length + failed.length < events) await pause(50);
tell(acknowledged, failed);
