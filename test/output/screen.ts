/** A terminal of 40 columns that understands what the live lines use: CR, LF, cursor up, erase to the end of line and screen. */
export function screenOf() {
  const rows: string[] = [''];
  let [row, column] = [0, 0];
  const put = (text: string): void => {
    for (const [, up, erase, character] of text.matchAll(/\u001b\[(\d+)A|\u001b\[([JK])|([^\u001b])/gs)) {
      if (up !== undefined) row = Math.max(0, row - Number(up));
      else if (erase === 'K') rows[row] = rows[row]!.slice(0, column);
      else if (erase === 'J') {
        rows[row] = rows[row]!.slice(0, column);
        rows.length = row + 1;
      } else if (character === '\r') column = 0;
      else if (character === '\n') {
        row += 1;
        column = 0;
        rows[row] ??= '';
      } else {
        rows[row] = rows[row]!.slice(0, column) + character + rows[row]!.slice(column + 1);
        column += 1;
      }
    }
  };
  return {
    sink: { isTTY: true, columns: 40, write: put },
    lines: () => rows.filter((line) => line !== ''),
  };
}
