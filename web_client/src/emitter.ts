/** Typed events: what a manager says, without knowing who listens. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(payload: never) => void>>();

  /** Listen to one kind of event; the function returned stops listening. */
  on<Kind extends keyof Events>(kind: Kind, listener: (payload: Events[Kind]) => void): () => void {
    const listeners = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  protected emit<Kind extends keyof Events>(kind: Kind, payload: Events[Kind]): void {
    for (const listener of [...(this.#listeners.get(kind) ?? [])]) {
      (listener as (payload: Events[Kind]) => void)(payload);
    }
  }
}
