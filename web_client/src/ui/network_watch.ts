/** What the browser tells of the machine's networks: a hint to look for a new way before the old one is seen to be dead. */

/** Not part of the standard library's types: Chromium on phones, and some desktops, say what kind of network there is. */
type NetworkInformation = EventTarget & { type?: string };

/** Call at each sign that the network has changed; the function returned stops. */
export function watchNetwork(changed: () => void): () => void {
  const information = (navigator as Navigator & { connection?: NetworkInformation }).connection;
  let type = information?.type;
  // `change` also comes for guesses at the bandwidth, which mean nothing here
  const compare = (): void => {
    if (information?.type === type) return;
    type = information?.type;
    changed();
  };
  information?.addEventListener('change', compare);
  window.addEventListener('online', changed);
  return () => {
    information?.removeEventListener('change', compare);
    window.removeEventListener('online', changed);
  };
}
