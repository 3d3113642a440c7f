import { Client, credentials, type ChannelCredentials } from "@grpc/grpc-js";
import { RecorderServiceClient } from "./generated/wrtn/sessions/v1/recorder.js";
import { Recording, type Opening, type RecordingOptions } from "./recording.js";
import type { Tokens } from "./tokens.js";

/** Where and how a recorder records. */
export interface RecorderOptions extends Partial<RecordingOptions> {
  /** The gRPC address of the sessions service, as in "127.0.0.1:50053". */
  address: string;
  /** The tokens of the websocket server's service credential. */
  tokens: Tokens;
  /** How the channel is secured; not at all by default, for a mesh or a loopback. */
  channel?: ChannelCredentials;
}

const DEFAULTS: RecordingOptions = { mostPending: 1000, patience: 120_000, silence: 30_000 };

/** Records conversations: one channel to the sessions service, one stream a live connection. */
export class Recorder {
  private readonly client: RecorderServiceClient;
  private readonly options: RecordingOptions;

  constructor(private readonly given: RecorderOptions) {
    this.options = { ...DEFAULTS, ...given };
    this.client = new RecorderServiceClient(given.address, given.channel ?? credentials.createInsecure(), {
      "grpc.keepalive_time_ms": 20_000,
      "grpc.max_reconnect_backoff_ms": 1_000,
      "grpc.initial_reconnect_backoff_ms": 100,
    });
  }

  /** Opens a connection with the ticket that the browser brought. Rejects with RecordingEnded if it is refused. */
  async attach(opening: Opening): Promise<Recording> {
    const recording = new Recording(this.client, this.given.tokens, this.options, opening);
    await recording.opened();
    return recording;
  }

  /** Closes the channel. Recordings should be closed before. */
  close(): void {
    (this.client as Client).close();
  }
}
