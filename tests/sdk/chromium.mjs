// A shop's pages in a real, headless Chromium: they load Segment's SDK for browsers, from another origin than the collector's. What visitors do
// there is somebody else's to say. Modules lie where the environment's SDK_HOME says.

import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.SDK_HOME}/`);
const { default: puppeteer } = await import(pathToFileURL(require.resolve('puppeteer-core')));
const BUNDLES = `${process.env.SDK_HOME}/node_modules/@segment/analytics-next/dist/umd`;

/// Serves the pages, whatever their path, and starts a browser.
export async function openShop() {
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
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
  const close = async () => {
    await browser.close();
    pages.close();
  };
  return { browser, url: `http://127.0.0.1:${pages.address().port}`, close };
}

/// Gathers the ids of the events of a page that the collector has acknowledged.
export function noteAcknowledged(page, endpoint, acknowledged) {
  page.on('response', async (response) => {
    const request = response.request();
    if (request.method() !== 'POST' || !request.url().startsWith(endpoint) || response.status() !== 200) return;
    ids(await request.fetchPostData()).forEach((id) => acknowledged.add(id));
  });
}

/// The ids in a request's body, whichever form it has.
function ids(body) {
  const sent = JSON.parse(body ?? '{}');
  return (sent.batch ?? [sent]).map((message) => message.messageId);
}
