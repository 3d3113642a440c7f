/** A recorder service in this process that keeps what it is sent and misbehaves as a test asks. */
import { Server, ServerCredentials, status, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  Control_Kind,
  RecorderServiceService,
  type AttachRequest,
  AttachResponse,
  type Delta,
  type Frame,
  Opened,
  type OpenConnectionRequest,
} from "../src/generated/wrtn/sessions/v1/recorder.js";

type Call = ServerDuplexStream<AttachRequest, AttachResponse>;

export class Service {
  /** Every opening, in order. */
  readonly openings: OpenConnectionRequest[] = [];
  /** The frames that are durable, in order. */
  readonly stored: Frame[] = [];
  /** How often each frame was received. */
  readonly received = new Map<string, number>();
  /** The pieces of answers that came. */
  readonly shown: Delta[] = [];
  readonly tokens: string[] = [];
  /** What happens to a frame before it is stored; true means that it was dealt with. */
  onFrame: (frame: Frame, call: Call, service: Service) => boolean = () => false;
  onOpen: (call: Call, token: string) => boolean = () => false;
  /** The streams that are open now. */
  readonly calls = new Set<Call>();
  port = 0;
  private server = new Server();

  async start(port = 0): Promise<this> {
    this.server.addService(RecorderServiceService, { attach: (call: Call) => this.attach(call) } as never);
    const address = `127.0.0.1:${port}`;
    this.port = await new Promise((resolve, reject) =>
      this.server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return this;
  }

  stop(): void {
    this.server.forceShutdown();
  }

  /** Breaks every open stream, as a crash does. */
  breakAll(): void {
    for (const call of this.calls) fail(call, status.UNAVAILABLE, "gone");
  }

  tell(kind: Control_Kind): void {
    for (const call of this.calls) call.write({ control: { kind } });
  }

  /** Refuses a frame, or a piece of an answer. */
  refuse(call: Call, historyId: string, code: status, message: string, delta = false): void {
    call.write({ rejection: { historyId, delta, status: { code, message, details: [] } } });
  }

  ack(call: Call, frame: Frame): void {
    if (!this.stored.some((each) => each.id === frame.id)) this.stored.push(frame);
    const sequence = this.stored.findIndex((each) => each.id === frame.id) + 1;
    call.write({ ack: { historyId: frame.id, sequence, createTime: new Date() } });
  }

  private attach(call: Call): void {
    const token = String(call.metadata.get("authorization")[0]);
    this.tokens.push(token);
    this.calls.add(call);
    const gone = () => this.calls.delete(call);
    call.on("cancelled", gone).on("error", gone);
    call.on("data", (request: AttachRequest) => {
      if (request.open) this.open(call, request.open, token);
      else if (request.frame) this.frame(call, request.frame);
      else if (request.delta) this.shown.push(request.delta);
    });
    call.on("end", () => (gone(), call.end()));
  }

  private open(call: Call, open: OpenConnectionRequest, token: string): void {
    this.openings.push(open);
    if (this.onOpen(call, token)) return;
    const connectionId = `connection-${this.openings.length}`;
    const whose = { tenantId: "tenant", accountId: "account", teamId: "team" };
    const session = { chatSessionId: "session", model: "m/m", lastSequence: this.stored.length };
    const opened = Opened.fromPartial({ connectionId, ...session, ...whose });
    call.write(AttachResponse.fromPartial({ opened }));
  }

  private frame(call: Call, frame: Frame): void {
    this.received.set(frame.id, (this.received.get(frame.id) ?? 0) + 1);
    if (!this.onFrame(frame, call, this)) this.ack(call, frame);
  }
}

export function fail(call: Call, code: status, details: string): void {
  call.emit("error", { code, details });
}
