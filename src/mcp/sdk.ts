// The parts of the SDK of the Model Context Protocol, and of zod, by which it describes arguments, that the server uses. They
// are imported by name, so that the bundle can leave out the rest; only `mcp` loads this module.
export { McpServer } from '@modelcontextprotocol/server';
export { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
export { array, boolean, enum as oneOf, strictObject, string } from 'zod';
