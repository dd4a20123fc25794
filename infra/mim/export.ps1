# photorelay, export script of the management agent. The feed is read only: an export flow is a mistake in the settings,
# and every object gets an answer that says so. MIM goes on with the next object and changes nothing.
param()
PROCESS {
    if ($null -ne $_) {
        # A simple object has properties with brackets in their names; a CSEntryChange has none.
        $identifier = $_.'[Identifier]'
        if ($null -eq $identifier) { $identifier = $_.Identifier }
        @{
            '[Identifier]' = "$identifier"
            '[ErrorName]' = 'import-only'
            '[ErrorDetail]' = 'photorelay only imports. Remove the export flows of this management agent.'
        }
    }
}
