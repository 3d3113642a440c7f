/** Answers an access token of the service credential; asked again whenever a stream opens. */
export type Tokens = (fresh: boolean) => Promise<string>;

/** How long before its end a token is exchanged, in milliseconds. */
const MARGIN = 60_000;

/** Tokens of a service credential, from the gateway: one is kept until shortly before it expires. */
export function serviceTokens(gateway: string, credentialId: string, secret: string): Tokens {
  let token = "";
  let until = 0;
  return async (fresh) => {
    if (fresh || Date.now() > until) {
      const answer = await fetch(new URL("/v1/auth:issueServiceToken", gateway), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ credentialId, secret }),
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error(`the gateway gave no service token: ${answer.status}`);
      const pair = (await answer.json()) as { accessToken: string; accessExpireTime: string };
      token = pair.accessToken;
      until = Date.parse(pair.accessExpireTime) - MARGIN;
    }
    return token;
  };
}
