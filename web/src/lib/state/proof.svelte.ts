/** Fresh proof: what decides who gets in asks for the password again, once, and then goes on with what was asked. */

import { api } from '../api/calls';
import { ApiError } from '../api/client';

class Proof {
  /** Whether the password is being asked for. */
  asking = $state(false);
  #settle: (proved: boolean) => void = () => undefined;

  /** Does `work`; if the host wants proof, asks for the password and does it again. */
  async with<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'proof_needed') throw error;
      if (!(await this.#ask())) throw new ApiError(0, 'not_proved', '', '');
      return await work();
    }
  }

  /** @throws {ApiError} when the password is wrong, or cannot be tried now. */
  async prove(password: string): Promise<void> {
    await api.prove(password);
    this.#end(true);
  }

  cancel(): void {
    this.#end(false);
  }

  #ask(): Promise<boolean> {
    // A second act that needs proof takes the place of the first, which is then not done.
    this.#settle(false);
    this.asking = true;
    return new Promise((settle) => (this.#settle = settle));
  }

  #end(proved: boolean): void {
    this.asking = false;
    this.#settle(proved);
    this.#settle = () => undefined;
  }
}

export const proof = new Proof();
