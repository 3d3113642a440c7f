/**
 * A websocket server whose model echoes: what a real one does, without a model.
 *
 *     WRTN_CREDENTIAL_ID=... WRTN_CREDENTIAL_SECRET=... node dist/example/server.js
 *
 * A browser asks the gateway for a ticket (`POST /v1/chatSessions/{id}:connect`) and opens
 * `ws://.../?ticket=...`. It sends `{"text": "..."}` and gets `{"delta"}`s, then `{"text", "sequence"}`; or, if the
 * turn failed or no budget covers it, `{"error"}` with a sentence that says why. In a session of a procedure it sends
 * `{"arguments": {...}}` and gets `{"value", "sequence"}`, or `{"error"}`.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { Recorder, RecordingEnded, serviceTokens, Spending, tokenUsage, type Recording } from "../src/index.js";

/** Codes of closing, from the private range: a client tells by them whether to come back. */
const CLOSE = { refused: 4401, ended: 4403, unreachable: 4503, trouble: 1011 } as const;
const MOST_BYTES = 64 * 1024;

const setting = (name: string, otherwise?: string): string => {
  const value = process.env[name] ?? otherwise;
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const tokens = serviceTokens(
  setting("WRTN_GATEWAY_URL", "http://127.0.0.1:8080"),
  setting("WRTN_CREDENTIAL_ID"),
  setting("WRTN_CREDENTIAL_SECRET"),
);
const recorder = new Recorder({ address: setting("WRTN_SESSIONS_ADDRESS", "127.0.0.1:50053"), tokens });
const spending = new Spending({ address: setting("WRTN_BILLING_ADDRESS", "127.0.0.1:50054"), tokens });

/** The model: says the words again, one by one. A real server calls its vendor here. */
async function* answer(text: string): AsyncGenerator<string> {
  for (const word of text.split(/(?<=\s)/)) yield word;
}

/** How many tokens a text has, as this model counts. */
const words = (text: string): number => text.split(/\s+/).filter(Boolean).length;

/**
 * One turn: the question is durable before it is answered, what it may cost at most is reserved before the model is
 * called, and the answer is durable before it is said to be. Whoever watches the session sees the answer grow.
 */
async function turn(socket: WebSocket, recording: Recording, text: string): Promise<void> {
  await recording.send({ type: "user_message", body: { text } });
  const session = await recording.opened();
  const reservation = await spending.authorize(session, { input: words(text), output: words(text) });
  const writing = recording.answer();
  let said = "";
  for await (const delta of answer(text)) {
    said += delta;
    writing.write(delta);
    socket.send(JSON.stringify({ delta }));
  }
  const stored = await recording.send(
    { type: "assistant_message", body: { text: said, finish_reason: "stop", model: session.model } },
    {
      id: writing.id,
      tokenUsage: tokenUsage({ input: words(text), output: words(said) }),
      reservationId: reservation.id,
    },
  );
  socket.send(JSON.stringify({ text: said, sequence: stored.sequence }));
}

/**
 * One run of a procedure, which answers what it was given. Its arguments are durable, and found to be valid by the
 * procedure's form, before it is run; a real server runs something then.
 */
async function run(socket: WebSocket, recording: Recording, given: unknown): Promise<void> {
  await recording.send({ type: "procedure_call", body: { arguments: given } });
  const reservation = await spending.authorize(await recording.opened(), { input: 0, output: 0 });
  const stored = await recording.send(
    { type: "procedure_call", body: { arguments: given, success: true, value: given } },
    { units: { requests: 1 }, reservationId: reservation.id },
  );
  socket.send(JSON.stringify({ value: given, sequence: stored.sequence }));
}

/** Opens the recording and plays one turn after the other, as the browser asks. */
async function serve(socket: WebSocket, request: IncomingMessage): Promise<void> {
  // What comes while the recording opens waits in this line.
  let line: Promise<void> = Promise.resolve();
  const waiting: Said[] = [];
  let play = (said: Said): void => void waiting.push(said);
  socket.on("message", (data) => play(parsed(String(data))));

  const ticket = new URL(request.url ?? "/", "http://localhost").searchParams.get("ticket") ?? "";
  const recording = await recorder.attach({
    ticket,
    client: request.headers["user-agent"] ?? "",
    address: request.socket.remoteAddress ?? "",
  });
  recording.on("ended", (end: RecordingEnded) => socket.close(closing(end), end.why));
  recording.on("broken", (error: Error) => console.error("recording.broken", error.message));
  socket.on("close", () => void line.then(() => recording.close()));

  const { procedureId } = await recording.opened();
  play = (said) => {
    const played = () => (procedureId ? run(socket, recording, said.arguments) : turn(socket, recording, said.text));
    line = line.then(played).catch((error: Error) => refuse(socket, error));
  };
  waiting.forEach((said) => play(said));
}

/** What a browser says, in a chat or in a session of a procedure. */
interface Said {
  text: string;
  arguments?: unknown;
}

function parsed(data: string): Said {
  try {
    const said = JSON.parse(data) as { text?: unknown; arguments?: unknown };
    return { text: typeof said.text === "string" ? said.text : "", arguments: said.arguments };
  } catch {
    return { text: "" };
  }
}

/**
 * Tells the browser what went wrong in a turn, also that no budget covers it: the message of SpendRefused is written for
 * people. The connection goes on, unless the recording ended.
 */
function refuse(socket: WebSocket, error: Error): void {
  if (error instanceof RecordingEnded) return;
  socket.send(JSON.stringify({ error: error.message }));
}

function closing(end: RecordingEnded): number {
  if (end.why === "closed") return 1000;
  if (end.why === "refused") return CLOSE.refused;
  return end.why === "unreachable" ? CLOSE.unreachable : CLOSE.ended;
}

const http = createServer((_, response) => response.writeHead(426).end("this is a websocket server\n"));
const sockets = new WebSocketServer({ server: http, maxPayload: MOST_BYTES });
sockets.on("connection", (socket, request) => {
  socket.on("error", (error) => console.error("socket", error.message));
  serve(socket, request).catch((error: Error) => {
    const end = error instanceof RecordingEnded ? closing(error) : CLOSE.trouble;
    socket.close(end, error.message.slice(0, 100));
  });
});

http.listen(Number(setting("PORT", "8090")), setting("HOST", "127.0.0.1"), () => {
  console.log(`listening on ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
});

/** Lets turns finish: sockets are told to go elsewhere, their recordings close behind them. */
function stop(): void {
  http.close(() => {
    recorder.close();
    spending.close();
    process.exit(0);
  });
  for (const socket of sockets.clients) socket.close(1012, "restarting");
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
