// What the JavaScript SDKs are told to send: every kind of call, in turn. Not how they send it.

const PROPERTIES = { order_id: 'o-1', currency: 'EUR', revenue: 12.5, products: [{ product_id: 'p-1' }], note: 'grüße "}]{[ \\ \u2028' };

/// The calls of number `n`: a name, and a function that makes it with an SDK of one object an argument.
export function call(n, visitor) {
  const who = { anonymousId: visitor };
  const calls = [
    ['track', { ...who, event: 'Order Completed', properties: PROPERTIES }],
    ['page', { ...who, name: 'Home', properties: { path: '/', n } }],
    ['identify', { userId: `user-${visitor}`, ...who, traits: { email: 'ada@example.com' } }],
    ['track', { userId: `user-${visitor}`, event: 'Product Viewed', properties: { product_id: `p-${n}` } }],
    ['screen', { ...who, name: 'Cart', properties: { n } }],
    ['group', { ...who, groupId: 'g-1', traits: { plan: 'pro' } }],
    ['alias', { userId: `user-${visitor}`, previousId: visitor }],
  ];
  return calls[n % calls.length];
}

/// Says what became of all events, as the last line of stdout.
export function tell(acknowledged, failed) {
  process.stdout.write(`${JSON.stringify({ acknowledged, failed })}\n`);
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// `--endpoint URL --write-key KEY --events N --every MS` as an object.
export function options() {
  const given = Object.fromEntries(
    process.argv.slice(2).flatMap((word, index, all) => (word.startsWith('--') ? [[word.slice(2), all[index + 1]]] : [])),
  );
  return { endpoint: given.endpoint, writeKey: given['write-key'], events: Number(given.events), every: Number(given.every ?? 0) };
}
