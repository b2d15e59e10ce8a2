import { type ServerResponse, STATUS_CODES } from 'node:http';

/** Answers with an error of HTTP, in one line that says why where the status does not. */
export function refuse(response: ServerResponse, status: 400 | 403 | 404 | 405 | 416, why?: string): void {
  const text = `${status} ${STATUS_CODES[status]}${why === undefined ? '' : `: ${why}`}\n`;
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
