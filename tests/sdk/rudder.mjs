// RudderStack's SDK for Node. Its modules lie where the environment's SDK_HOME says.

import { createRequire } from 'node:module';
import { call, options, pause, tell } from './traffic.mjs';

const required = createRequire(`${process.env.SDK_HOME}/`)('@rudderstack/rudder-sdk-node');
const Analytics = required.default ?? required;
const { endpoint, writeKey, events, every } = options();
// By itself it repeats three times within seconds, and then throws where nobody can catch it.
const analytics = new Analytics(writeKey, {
  dataPlaneUrl: endpoint,
  flushAt: 10,
  flushInterval: 300,
  gzip: true,
  retryCount: 10,
  errorHandler: (error) => process.stderr.write(`rudder: ${error.message}\n`),
});
const acknowledged = [];
const failed = [];

for (let n = 0; n < events; n += 1) {
  const [name, message] = call(n, `rudder-${n % 5}`);
  const messageId = `rudder-${process.pid}-${n}`;
  analytics[name]({ ...message, messageId }, (error) => {
    if (error) failed.push(String(error));
    else acknowledged.push(messageId);
  });
  if (every) await pause(every);
}
while (acknowledged.length + failed.length < events) await pause(50);
tell(acknowledged, failed);
process.exit(0);
