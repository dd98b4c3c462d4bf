import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

export const PLUGIN = fileURLToPath(new URL('../../plugin/kubectl-gkeprof', import.meta.url));

/** The answer of a tool: its texts, and whether it is an error. A call that the protocol itself refuses is an error too. */
export interface ToolAnswer {
  readonly texts: readonly string[];
  readonly isError: boolean;
}

/** A server in a process of its own, and a client of the same SDK at the other ends of its pipes. */
export interface Server {
  readonly client: Client;
  call(name: string, given?: Readonly<Record<string, unknown>>): Promise<ToolAnswer>;
  close(): Promise<void>;
}

export async function startServer(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  program: readonly string[] = [process.execPath, PLUGIN],
): Promise<Server> {
  const [command, ...before] = program;
  const transport = new StdioClientTransport({
    command: command!,
    args: [...before, 'mcp', ...words],
    env,
    stderr: 'ignore',
  });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  return {
    client,
    async call(name, given = {}) {
      try {
        const { content, isError } = await client.callTool({ name, arguments: given }, { timeout: 120_000 });
        const texts = content.flatMap((each) => (each.type === 'text' ? [each.text] : []));
        return { texts, isError: isError === true };
      } catch (error) {
        return { texts: [(error as Error).message], isError: true };
      }
    },
    close: () => client.close(),
  };
}
