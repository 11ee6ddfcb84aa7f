// An OpenID provider by the library oidc-provider. Who logs in, how, and how long ago is told to it by the test:
// PUT /next takes {"account", "acr", "amr", "age", "deny"}, which hold until the next one.
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [, , address, redirect, secret] = process.argv;
const issuer = `http://${address}`;
let next = { account: 'alice', acr: 'urn:example:two-factor', amr: ['pwd', 'otp'], age: 0, deny: false };

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' }] },
  clients: [{
    client_id: 'countersign', client_secret: secret, redirect_uris: [redirect],
    response_types: ['code'], grant_types: ['authorization_code'], id_token_signed_response_alg: 'ES256',
  }],
  acrValues: ['urn:example:password', 'urn:example:two-factor'],
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  cookies: { keys: [secret] },
});

provider.use(async (ctx, following) => {
  if (ctx.path === '/next' && ctx.method === 'PUT') {
    let text = '';
    for await (const part of ctx.req) text += part;
    next = { ...next, ...JSON.parse(text) };
    ctx.status = 204;
    return;
  }
  if (!ctx.path.startsWith('/interaction/')) {
    await following();
    return;
  }
  const asked = await provider.interactionDetails(ctx.req, ctx.res);
  ctx.respond = false;
  if (next.deny) {
    await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied' });
    return;
  }
  const grant = new provider.Grant({ accountId: next.account, clientId: asked.params.client_id });
  grant.addOIDCScope(asked.params.scope);
  await provider.interactionFinished(ctx.req, ctx.res, {
    login: { accountId: next.account, acr: next.acr, amr: next.amr, ts: Math.floor(Date.now() / 1000) - next.age, remember: false },
    consent: { grantId: await grant.save() },
  });
});

const [host, port] = address.split(':');
provider.listen(Number(port), host);
