import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server whose answers a test gives. `asked` has the paths of all requests. */
export interface FakeServer {
  readonly url: string;
  readonly asked: string[];
  readonly headers: Array<IncomingMessage['headers']>;
  close(): Promise<void>;
}

export async function fakeServer(
  answer: (path: string, response: ServerResponse) => void,
): Promise<FakeServer> {
  const asked: string[] = [];
  const headers: Array<IncomingMessage['headers']> = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    headers.push(request.headers);
    answer(request.url!, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    headers,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Answers with files by their path, and with 404 for any other. */
export const serving =
  (files: Readonly<Record<string, Uint8Array>>) =>
  (path: string, response: ServerResponse): void => {
    const file = files[path];
    if (!file) response.writeHead(404).end('not found');
    else response.writeHead(200, { 'content-length': file.length }).end(file);
  };
