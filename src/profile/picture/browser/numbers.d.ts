export function unpacked<Data extends object>(data: Data): Data;
