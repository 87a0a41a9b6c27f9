/**
 * What of a page the network lost on its way is fetched again: a laptop that goes from cable to radio while the page
 * comes loses whatever it was just fetching, and browsers ask for nothing twice.
 */

/** Milliseconds before each further try: a change of the network is over in a moment, a lost one mostly in some. */
export const PAUSES = [300, 1000, 2000, 4000, 8000];

const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

/** Fetch what is needed later, as a part of the page that is loaded when somebody goes there. Throws when it never comes. */
export async function insist<Fetched>(fetch: () => Promise<Fetched>, pauses = PAUSES): Promise<Fetched> {
  for (const milliseconds of pauses) {
    try {
      return await fetch();
    } catch {
      await pause(milliseconds);
    }
  }
  return fetch();
}

/** Fetch again what fails: style sheets, and the script that the page begins with. What never comes is told, with a button. */
export function watchLoading(): void {
  const root = document.documentElement;
  if (root.dataset.fetchesAgain !== undefined) return;
  root.dataset.fetchesAgain = '';

  const tries = new Map<string, number>();
  const missing = new Map<string, () => void>();
  const isBegun = (): boolean => document.getElementById('app')?.hasChildNodes() === true;

  function retry(address: string, again: () => void): void {
    const tried = tries.get(address) ?? 0;
    tries.set(address, tried + 1);
    const milliseconds = PAUSES[tried];
    if (milliseconds !== undefined) return void setTimeout(again, milliseconds);
    missing.set(address, again);
    tell();
  }

  function handleLost(lost: EventTarget | null): void {
    if (lost instanceof HTMLLinkElement && lost.rel === 'stylesheet') retry(lost.href, () => lost.replaceWith(lost.cloneNode()));
    else if (lost instanceof HTMLScriptElement && lost.type === 'module') begin(lost.src);
  }

  /** The script, or one of those that it imports, was lost: the browser asks again for those that it lacks. */
  function begin(script: string): void {
    retry(script, () => void import(/* @vite-ignore */ script).catch(() => begin(script)));
  }

  function tell(): void {
    const plate = document.getElementById('page-lost');
    if (plate === null || plate.querySelector('button') !== null) return;
    const button = document.createElement('button');
    button.textContent = plate.dataset.button ?? '';
    button.addEventListener('click', () => void goOn());
    plate.append(button);
    plate.className = 'told';
  }

  async function goOn(): Promise<void> {
    if (missing.size === 0) return;
    // not every browser asks again for a script that it lacks; where nothing has begun, nothing is lost by loading the page anew
    if (!isBegun() && (await isServerThere())) return location.reload();
    const all = [...missing.values()];
    missing.clear();
    tries.clear();
    const plate = document.getElementById('page-lost');
    plate?.querySelector('button')?.remove();
    plate?.removeAttribute('class');
    for (const again of all) again();
  }

  document.addEventListener('error', (event) => handleLost(event.target), true);
  addEventListener('online', () => void goOn());
  // the script that should have come first was itself lost, and it is a later one that calls: what failed before it is looked for
  if (document.readyState !== 'loading') whenLoaded(() => [...document.querySelectorAll('link')].filter(isSheetLost).forEach(handleLost));
}

function isServerThere(): Promise<boolean> {
  return fetch(location.pathname, { cache: 'no-store' }).then(({ ok }) => ok, () => false);
}

function whenLoaded(then: () => void): void {
  if (document.readyState === 'complete') then();
  else addEventListener('load', then, { once: true });
}

function isSheetLost(link: HTMLLinkElement): boolean {
  if (link.rel !== 'stylesheet') return false;
  try {
    return link.sheet === null || link.sheet.cssRules.length === 0;
  } catch {
    // Chromium gives a sheet that did not come no origin, and lets nobody read it
    return true;
  }
}
