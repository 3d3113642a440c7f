import { randomUUID } from "node:crypto";
import { Client, credentials, Metadata, status, type ChannelCredentials, type ServiceError } from "@grpc/grpc-js";
import {
  SpendServiceClient,
  type Reservation,
  type TokenEstimate,
} from "./generated/wrtn/billing/v1/spending.js";
import { ErrorInfo } from "./generated/google/rpc/error_details.js";
import { Status } from "./generated/google/rpc/status.js";
import type { Opened } from "./generated/wrtn/sessions/v1/recorder.js";
import type { Tokens } from "./tokens.js";

/** Where and how spending is authorized. */
export interface SpendingOptions {
  /** The gRPC address of the billing service, as in "127.0.0.1:50054". */
  address: string;
  /** The tokens of the websocket server's service credential. */
  tokens: Tokens;
  /** How the channel is secured; not at all by default, for a mesh or a loopback. */
  channel?: ChannelCredentials;
  /** How long an answer may take, in milliseconds; 10 seconds by default. */
  patience?: number;
}

/** What a call may cost at most. */
export type Estimate = TokenEstimate | { amount: string };

/** Billing refuses a spending. The message says so in words, for the person who asked. */
export class SpendRefused extends Error {
  constructor(
    message: string,
    /** A gRPC status code. */
    readonly code: number,
    /** Why, as in "BUDGET_EXCEEDED". */
    readonly reason: string,
    /** What is known of it, as `level` ("team"), `left` and `reset_time` of a budget. */
    readonly facts: Readonly<Record<string, string>>,
  ) {
    super(message);
    this.name = "SpendRefused";
  }
}

/** Asks billing before models are called: one channel to the billing service. */
export class Spending {
  private readonly client: SpendServiceClient;

  constructor(private readonly options: SpendingOptions) {
    const channel = options.channel ?? credentials.createInsecure();
    this.client = new SpendServiceClient(options.address, channel);
  }

  /**
   * Reserves what a call of the session's model, or of another, may cost at most; its usage names the reservation.
   * In a procedure session without a model it is a run of the procedure. It is told in tokens, or as an amount, a decimal
   * number ("0.08"), where a model is priced by something else, as images are.
   * Rejects with SpendRefused if a budget, or anything else, does not allow it.
   */
  async authorize(session: Opened, given: Estimate, model = modelOf(session)): Promise<Reservation> {
    const { tenantId, accountId, teamId, procedureId } = session;
    const spender = { tenantId, accountId, teamId, procedureId };
    const estimate = "amount" in given ? given : { tokens: given };
    const request = { reservationId: randomUUID(), ...spender, model, estimate };
    return this.call((metadata, patience, done) => this.client.authorizeSpend(request, metadata, patience, done));
  }

  /** Gives a reservation back, of a call that was not made. */
  async release({ tenantId, id: reservationId }: Reservation): Promise<Reservation> {
    const request = { tenantId, reservationId };
    return this.call((metadata, patience, done) => this.client.releaseReservation(request, metadata, patience, done));
  }

  /** Closes the channel. */
  close(): void {
    (this.client as Client).close();
  }

  /** Calls once, and again with a fresh token if that of the credential ended before its time. */
  private async call(method: Method): Promise<Reservation> {
    for (const fresh of [false, true]) {
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${await this.options.tokens(fresh)}`);
      const deadline = Date.now() + (this.options.patience ?? 10_000);
      const answer = await new Promise<Reservation | ServiceError>((resolve) =>
        method(metadata, { deadline }, (error, reservation) => resolve(error ?? reservation)),
      );
      if (!(answer instanceof Error)) return answer;
      if (fresh || answer.code !== status.UNAUTHENTICATED) throw refusal(answer);
    }
    throw new Error("a call is made twice at most");
  }
}

/** The model of a session, or what stands for its procedure: by that its runs are priced. */
function modelOf({ model, procedureId }: Opened): string {
  return model || `procedure/${procedureId}`;
}

type Done = (error: ServiceError | null, reservation: Reservation) => void;
type Method = (metadata: Metadata, patience: { deadline: number }, done: Done) => void;

/** Reads why: the details of a status travel beside it, in a message of their own. */
function refusal(error: ServiceError): SpendRefused {
  const [sent] = error.metadata.get("grpc-status-details-bin");
  const details = sent instanceof Buffer ? Status.decode(sent).details : [];
  const found = details.find((each) => each.typeUrl.endsWith("/google.rpc.ErrorInfo"));
  const { reason, metadata } = found ? ErrorInfo.decode(found.value) : { reason: "", metadata: {} };
  return new SpendRefused(error.details, error.code, reason, metadata);
}
