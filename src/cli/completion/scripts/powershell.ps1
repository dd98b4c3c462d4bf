# PowerShell completion of kubectl-gkeprof: kubectl gkeprof completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'kubectl-gkeprof' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString().Trim("'", '"') })
    # An empty word would get lost on the way to a native command before PowerShell 7.3.
    $begun = if ($wordToComplete -eq '' -and $PSVersionTable.PSVersion -lt [version]'7.3.0') { '""' } else { $wordToComplete }
    $lines = @(& kubectl-gkeprof __complete @words $begun 2>$null)
    if ($lines.Count -eq 0 -or $lines[-1] -notmatch '^:(\d+)$') { return }
    $directive = [int]$Matches[1]
    # Without 4 it is about files: nothing said, PowerShell completes those itself.
    if (($directive -band 4) -eq 0) { return }
    $space = if ($directive -band 2) { '' } else { ' ' }
    $before = if ($wordToComplete -match '^-[^=]*=') { $Matches[0] } else { '' }
    $lines | Select-Object -SkipLast 1 | ForEach-Object {
        $text, $about = $_ -split "`t", 2
        $about = if ($about) { $about } else { $text }
        [System.Management.Automation.CompletionResult]::new("$before$text$space", $text, 'ParameterValue', $about)
    }
}
