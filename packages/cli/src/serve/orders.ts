/** What a server and a run that it started tell each other, as messages between their processes. */
export const orders = ['pause', 'resume', 'checkpoint', 'stop'] as const;

export interface Order {
  readonly id: number;
  readonly order: (typeof orders)[number];
}

/** `step`: of a checkpoint. */
export interface OrderAnswer {
  readonly id: number;
  readonly step?: number;
  readonly error?: string;
}
