/** The real socket: `GET /ws` of the server that served this page. */
import type { OpenSocket } from './connection';
import { SUB_PROTOCOL } from './protocol';

/** Closing codes: 1000 says that one leaves; 4001 (private) that one comes back. */
const LEAVING = 1000;
const BREAKING = 4001;

export const openBrowserSocket: OpenSocket = (handlers) => {
  const address = new URL('/ws', location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, SUB_PROTOCOL);
  socket.addEventListener('open', () => handlers.handleOpen());
  socket.addEventListener('close', () => handlers.handleClose());
  socket.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (typeof event.data === 'string') handlers.handleText(event.data);
  });
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: (leaving) => socket.close(leaving ? LEAVING : BREAKING),
  };
};
